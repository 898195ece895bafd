"""Opens regular files only: to open or read a FIFO or a device may take forever."""

import os
import stat
from pathlib import Path


class NoRegularFile(OSError):
    """It is a FIFO, a device, a socket, a folder, or a link where none is allowed."""


def read_regular(path: Path, most: int, *, follow: bool = True) -> bytes:
    """Return at most `most` bytes of a file.

    Args:
        path: the file.
        most: bytes.
        follow: whether the path may be a symbolic link, as for a secret that is mounted.

    Raises:
        OSError: it can't be read, or NoRegularFile.
    """
    # Checked before it is opened, because that alone can have an effect at a device.
    require_regular(path, follow=follow)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        _check(os.fstat(file.fileno()))
        return file.read(most)


def require_regular(path: Path, *, follow: bool = True) -> None:
    """Raise OSError or NoRegularFile unless it is a regular file."""
    _check(path.stat(follow_symlinks=follow))


def _check(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NoRegularFile("not a regular file")
