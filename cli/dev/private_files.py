"""Private files and folders, and a lock that is released when its holder ends."""

import base64
import fcntl
import os
import secrets
import stat
from pathlib import Path
from typing import IO, Any

from models.configuration.environment_settings import BadSettings
from models.configuration.setting_types import SHORTEST_SECRET
from models.rules.consent.contact_keys import SECRET_BYTES
from models.rules.webhooks.secrets import KEY_BYTES


class BadFolderError(BadSettings):
    """A folder is unsuitable; the message names its variable."""


class FolderBusyError(RuntimeError):
    """Another process uses this folder."""


def private_folder(path: Path, variable: str) -> None:
    """Create a folder that only we may enter, or restrict an existing one of ours.

    Raises BadFolderError for one that is a link, is owned by another user, is shared or holds other
    data: restricting that would lock others out.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise BadFolderError(
            f"{variable} must be a folder that can be made: {_why(error)}"
        ) from None
    if stat.S_ISLNK(status.st_mode):
        raise BadFolderError(f"{variable} must be a folder itself, not a symbolic link to one")
    if status.st_uid != os.geteuid():
        raise BadFolderError(f"{variable} must be a folder of the user who starts this")
    if status.st_mode & stat.S_ISVTX or _holds_more(path):
        raise BadFolderError(
            f"{variable} must be a folder for HexaVox alone: only its owner may enter it"
        )
    path.chmod(0o700)
    if not os.access(path, os.W_OK | os.X_OK):
        raise BadFolderError(f"{variable} must be a folder that can be written to")


def close_to_others(path: Path, variable: str) -> None:
    """Remove all access of others from a file, or a folder and its contents, if it exists.

    A symbolic link of our own is left alone. Raises BadFolderError for anything that another user
    owns, who could read it whatever its mode.
    """
    if not os.path.lexists(path):
        return
    for item in (path, *path.rglob("*")):
        try:
            status = item.lstat()
        except FileNotFoundError:  # a database removes its own files
            continue
        if status.st_uid != os.geteuid():
            raise BadFolderError(f"{variable} holds {item.name}, which belongs to another user")
        if not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o077:
            item.chmod(stat.S_IMODE(status.st_mode) & 0o700)


def open_private(path: Path) -> int:
    """Open a file of mode 0600 for appending, created if missing; return its descriptor.

    Symbolic links are not followed.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # not a device such as /dev/null
        os.fchmod(descriptor, 0o600)
    return descriptor


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 atomically."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def kept_secret(path: Path) -> str:
    """Return the secret in this file, generated on first use."""
    if not path.exists():
        write_private(path, f"{secrets.token_hex(24)}\n")
    secret = path.read_text().strip()
    if len(secret) < SHORTEST_SECRET:
        raise BadFolderError(f"{path} must hold a secret; remove it, and a new one is made")
    return secret


def kept_contact_key(path: Path) -> Path:
    """Return the path of a contact key file, generated on first use."""
    if not path.exists():
        secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        write_private(path, f"1:{secret}\n")
    return path


def kept_webhook_key(path: Path) -> Path:
    """Return the path of a webhook key file, generated on first use."""
    if not path.exists():
        write_private(path, f"{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n")
    return path


def take_lock(path: Path, refusal: str) -> IO[Any]:
    """Take a lock that is held until the returned file is closed or this process ends."""
    file = os.fdopen(open_private(path), "a+")
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


def _holds_more(path: Path) -> bool:
    """Return whether a folder contains the working directory or the user's home."""
    lived_in = (Path.cwd().resolve(), Path.home().resolve())
    return any(place.is_relative_to(path.resolve()) for place in lived_in)


def _why(error: OSError) -> str:
    return os.strerror(error.errno or 0)
