"""Files that only we may read, and a lock that dies with its holder."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO, Any


class FolderBusyError(RuntimeError):
    """Another process works with this folder."""


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def kept_secret(path: Path) -> str:
    """The secret in this file, made at random on first use."""
    if not path.exists():
        write_private(path, f"{secrets.token_hex(24)}\n")
    return path.read_text().strip()


def take_lock(path: Path, refusal: str) -> IO[Any]:
    """Hold this lock until the returned file is closed or this process is gone, however it went."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise FolderBusyError(f"{refusal} (process {holder})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
