"""Private folders and files, whatever existed before."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.dev.private_files import (
    BadFolderError,
    close_to_others,
    kept_secret,
    open_private,
    private_folder,
    take_lock,
)
from simulator.journal import Journal

OTHER_USER = 65_534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct, autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each umask of a caller."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_a_new_folder_is_private(tmp_path: Path) -> None:
    private_folder(tmp_path / "a/b", "HEXAVOX_DATA_DIR")
    assert mode(tmp_path / "a/b") == 0o700


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    private_folder(folder, "HEXAVOX_DATA_DIR")
    assert mode(folder) == 0o700


def refusal(path: Path) -> str:
    with pytest.raises(BadFolderError) as refused:
        private_folder(path, "HEXAVOX_DATA_DIR")
    return str(refused.value)


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o755)
    (tmp_path / "target").chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert "symbolic link" in refusal(tmp_path / "link")
    assert mode(tmp_path / "target") == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, OTHER_USER, OTHER_USER)
    assert "of the user who starts this" in refusal(folder)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "must be a folder that can be made" in refusal(tmp_path / "file")
    assert "must be a folder that can be made" in refusal(tmp_path / "file/below")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_a_folder_that_cannot_be_created_is_refused() -> None:
    assert "must be a folder that can be made" in refusal(Path("/proc/data"))


def test_a_folder_that_others_live_in_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mode(Path.cwd())
    assert "for HexaVox alone" in refusal(Path.cwd())
    assert mode(Path.cwd()) == before
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    assert "for HexaVox alone" in refusal(shared)
    assert mode(shared) == 0o1777
    monkeypatch.setenv("HOME", str(tmp_path / "home/me"))
    (tmp_path / "home/me").mkdir(parents=True)
    assert "for HexaVox alone" in refusal(tmp_path / "home")


def test_existing_files_are_made_private(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "api.log").touch()
    (logs / "run").touch()
    for path, was in ((logs, 0o775), (logs / "api.log", 0o666), (logs / "run", 0o755)):
        path.chmod(was)
    close_to_others(logs, "HEXAVOX_DATA_DIR")
    close_to_others(tmp_path / "missing", "HEXAVOX_DATA_DIR")
    assert [mode(path) for path in (logs, logs / "api.log", logs / "run")] == [
        0o700,
        0o600,
        0o700,
    ]


def test_a_link_of_our_own_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "target").chmod(0o644)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/api.log").symlink_to(tmp_path / "target")
    close_to_others(tmp_path / "logs", "HEXAVOX_DATA_DIR")
    assert mode(tmp_path / "target") == 0o644
    with pytest.raises(OSError):
        open_private(tmp_path / "logs/api.log")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/api.log").touch()
    os.chown(tmp_path / "logs/api.log", OTHER_USER, OTHER_USER)
    with pytest.raises(BadFolderError, match=r"api\.log, which belongs to another user"):
        close_to_others(tmp_path / "logs", "HEXAVOX_DATA_DIR")


@pytest.mark.parametrize("kept", ["", "\n", "x" * 15])
def test_a_secret_that_was_lost_is_not_taken_for_one(tmp_path: Path, kept: str) -> None:
    (tmp_path / "server.secret").write_text(kept)
    with pytest.raises(BadFolderError, match=r"server\.secret"):
        kept_secret(tmp_path / "server.secret")


def test_secrets_locks_and_logs_are_private(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "server.secret")
    assert len(secret) >= 16
    assert kept_secret(tmp_path / "server.secret") == secret
    take_lock(tmp_path / "lock", "busy").close()
    (tmp_path / "old.log").touch()
    (tmp_path / "old.log").chmod(0o666)
    for name in ("old.log", "new.log"):
        os.close(open_private(tmp_path / name))
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
    before = mode(Path("/dev/null"))
    os.close(open_private(Path("/dev/null")))
    assert mode(Path("/dev/null")) == before


async def test_the_simulators_memory_is_private_also_if_it_was_open(tmp_path: Path) -> None:
    folder = tmp_path / "simulator"
    for _ in range(2):
        journal = Journal(folder)
        journal.open()
        files = sorted(folder.iterdir())
        assert files[0].name == "simulator.sqlite3"
        assert {mode(path) for path in files} == {0o600}
        await journal.close()
        for path in folder.iterdir():
            path.chmod(0o666)
    assert mode(folder) == 0o700
