"""Files of an account that are no regular files: refused at once, and never waited for."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.configuration.accounts import read_configuration
from models.configuration.regular_files import NoRegularFile, read_regular
from tests.providers_files import TWILIO, write_file
from tests.stack import ROOT

READ = """
import sys
from pathlib import Path
from models.configuration.accounts import read_configuration
from models.configuration.environment_settings import BadSettings
try:
    read_configuration(Path(sys.argv[1]), {"TWILIO_TOKEN_OF_TESTS": "token"})
except BadSettings as error:
    print(error)
"""
SECRET = TWILIO + 'previous_auth_token = { file = "secret" }'


def fifo(path: Path) -> None:
    os.mkfifo(path)


def linked_fifo(path: Path) -> None:
    os.mkfifo(path.with_suffix(".fifo"))
    path.symlink_to(path.with_suffix(".fifo"))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def no_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path)


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


KINDS = [fifo, linked_fifo, device, no_device, folder, loop, bound]


def read(path: Path) -> str:
    """Read a providers file in a process that can be ended; return its mistakes."""
    command = [sys.executable, "-c", READ, str(path)]
    return subprocess.check_output(command, cwd=ROOT, text=True, timeout=20).strip()


@pytest.mark.parametrize("make", KINDS)
def test_a_secret_is_in_a_regular_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "secret")
    assert read(write_file(tmp_path, SECRET)) == (
        "HEXAVOX_PROVIDERS_FILE: account twilio previous_auth_token: there is no secret in the "
        "file that this key names"
    )


@pytest.mark.parametrize("make", KINDS)
def test_the_providers_file_is_a_regular_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "providers.toml")
    assert read(tmp_path / "providers.toml") == "HEXAVOX_PROVIDERS_FILE can't be read"


def test_files_are_links_where_kubernetes_mounts_them(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "secret").write_text("mounted")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "secret").symlink_to("..data/secret")
    path = tmp_path / "link.toml"
    path.symlink_to(write_file(tmp_path, SECRET))
    (account,) = read_configuration(path, {"TWILIO_TOKEN_OF_TESTS": "first"}).accounts
    assert account.secret("previous_auth_token") == "mounted"


def test_only_so_much_is_read_and_a_link_only_where_it_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 3, follow=False) == b"123"
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 10) == b"12345"
    with pytest.raises(NoRegularFile):
        read_regular(tmp_path / "link", 10, follow=False)
