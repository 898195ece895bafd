"""A process lowers its priority if configured."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT

_LOWER_PRIORITY = (
    "import os, sys; from cli.process_priority import lower_priority;"
    " lower_priority(int(sys.argv[1]));"
)
AUTOGROUP = Path("/proc/self/autogroup")
_ANYBODY = 65_534


@pytest.mark.parametrize(("nice", "lowered"), [(0, 0), (5, 5), (40, 19)])
def test_it_lowers_its_priority_by_so_many_steps(nice: int, lowered: int) -> None:
    before = os.nice(0)
    assert _priority_after(nice) == str(min(before + lowered, 19))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_needs_no_privileges() -> None:
    as_nobody = f"{_LOWER_PRIORITY} print(os.nice(0))".replace(
        "lower_priority(", f"os.setuid({_ANYBODY}); lower_priority(", 1
    )
    assert _run(as_nobody, "5") == str(min(os.nice(0) + 5, 19))


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="not this kernel")
def test_the_session_is_lowered_as_well_under_autogroup() -> None:
    group = _run(f"{_LOWER_PRIORITY} print(open('/proc/self/autogroup').read())", "5", session=True)
    assert group.endswith(f"nice {min(os.nice(0) + 5, 19)}")


def _priority_after(nice: int) -> str:
    return _run(f"{_LOWER_PRIORITY} print(os.nice(0))", str(nice))


def _run(program: str, *arguments: str, session: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        start_new_session=session,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
