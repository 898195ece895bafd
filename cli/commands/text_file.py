"""Reads a text file that an operator names."""

from pathlib import Path
from typing import Final

import typer

_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file."""


def read_text(file: Path) -> str:
    """Return a file's text; raises BadParameter if it is too large or not UTF-8."""
    try:
        if file.stat().st_size > _LARGEST:
            raise typer.BadParameter(f"{file} is larger than {_LARGEST} bytes.")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read as text.") from error
