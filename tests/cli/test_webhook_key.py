"""API and worker do not start without a webhook key; a development start makes one and keeps it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli.dev.child_environment import for_process
from cli.dev.private_files import kept_webhook_key
from models.rules.webhooks.secrets import KEY_BYTES, read_webhook_key
from tests.contacts import CONTACT_KEY_FILE
from tests.secret_values import SERVER_SECRET
from tests.stack import ROOT

NOT_SET = (
    "hexavox: HEXAVOX_WEBHOOK_KEY_FILE is not set: webhooks are signed with secrets derived from "
    "its key.\n"
)
NO_KEY = (
    "hexavox: HEXAVOX_WEBHOOK_KEY_FILE must be a file with one line, the base64 of 32 random bytes "
    "or more\n"
)


@pytest.mark.parametrize("process", ["api", "worker"])
@pytest.mark.parametrize(
    ("content", "line"),
    [(None, NOT_SET), ("", NO_KEY), ("c2hvcnQ=", NO_KEY), ("1:" + "A" * 44, NO_KEY)],
)
def test_a_process_says_so_in_one_line(
    tmp_path: Path, process: str, content: str | None, line: str
) -> None:
    path = tmp_path / "webhook.key"
    path.write_text(content or "")
    ended = subprocess.run(
        [sys.executable, "-m", "cli", process],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HEXAVOX_PROFILE": "demo",
            "HEXAVOX_SERVER_SECRET": SERVER_SECRET,
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "HEXAVOX_CONTACT_KEY_FILE": str(CONTACT_KEY_FILE),
            "HEXAVOX_WEBHOOK_KEY_FILE": "" if content is None else str(path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr, ended.stdout) == (2, line, "")


def test_a_development_start_makes_a_private_key_once(tmp_path: Path) -> None:
    path = kept_webhook_key(tmp_path / "webhook.key")
    key = read_webhook_key(path.read_text())
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_webhook_key(kept_webhook_key(path).read_text()) == key
    assert read_webhook_key(kept_webhook_key(tmp_path / "other.key").read_text()) != key


def test_only_api_and_worker_get_the_key_file() -> None:
    given = {"HEXAVOX_WEBHOOK_KEY_FILE": "x"}
    told = [name for name in ("api", "worker", "migrate", "key") if for_process(name, given)]
    assert told == ["api", "worker"]
    assert for_process("simulator", given) == {}
