"""Providers files of tests."""

from pathlib import Path
from typing import Final

from tests.vendors.twilio_double import ACCOUNT, PRIMARY

TWILIO_TOKEN_VARIABLE: Final = "TWILIO_TOKEN_OF_TESTS"

TWILIO: Final = f"""
[[account]]
name = "twilio"
vendor = "twilio"
account_sid = "{ACCOUNT}"
auth_token = {{ env = "{TWILIO_TOKEN_VARIABLE}" }}
registration = {{ primary_profile = "{PRIMARY}", notify_email = "operator@example.com" }}
"""
"""An account that also registers brands."""


def write_file(folder: Path, *tables: str, name: str = "providers.toml") -> Path:
    """Write a providers file of these tables; return its path."""
    path = folder / name
    path.write_text("\n".join(tables), "utf-8")
    return path
