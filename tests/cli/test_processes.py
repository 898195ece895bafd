"""Steps of a process before it serves."""

import os
import subprocess
import sys

import pytest

from tests.contacts import CONTACT_KEY_FILE
from tests.stack import ROOT
from tests.webhook_key import WEBHOOK_KEY_FILE

TELL = "lambda *a, **k: print(gc.get_threshold()[0], gc.get_freeze_count() > 10_000)"
SERVING = {
    "api": f"import gc, uvicorn; uvicorn.run = {TELL}",
    "worker": "import gc, uvloop, cli.worker.process; "
    "cli.worker.process.run_worker = lambda *a, **k: None; "
    f"uvloop.run = {TELL}",
}


@pytest.mark.parametrize("process", SERVING)
def test_garbage_is_looked_for_seldom_and_never_among_the_imports(process: str) -> None:
    script = f"{SERVING[process]}; from cli.main import app; app(['{process}'])"
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HEXAVOX_PROFILE": "demo",
            "HEXAVOX_SERVER_SECRET": "only-for-tests-too",
            "HEXAVOX_CONTACT_KEY_FILE": str(CONTACT_KEY_FILE),
            "HEXAVOX_WEBHOOK_KEY_FILE": str(WEBHOOK_KEY_FILE),
            "HEXAVOX_SIMULATOR_SECRET": "for-tests-only-too",
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    threshold, frozen = told.stdout.split()
    assert int(threshold) >= 10_000
    assert frozen == "True"
