"""Plant one fault at a time in a copy of the project and print those that no test notices.

`python -m tests.mutants [TEXT …]` runs all faults, or those whose name contains one of the texts.
The exit status is 1 if a fault survives or cannot be judged.
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutants.fault import Fault
from tests.mutants.faults import FAULTS

ROOT = Path(__file__).parent.parent.parent

_LONGEST_SECONDS = 600
"""One run of tests; a fault that makes them hang is noticed as well."""

_TESTS_FAILED = 1
"""pytest's exit status; others than this and 0 say that the run itself is broken."""


class Outcome(StrEnum):
    """What the named tests made of a fault."""

    NOTICED = "noticed"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"
    """pytest could not run: the fault proves nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A fault and its outcome."""

    fault: Fault
    outcome: Outcome
    output: str


def main() -> int:
    """Judge the chosen faults and print a table; see the module."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="part of a fault's name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--no-baseline", action="store_true", help="trust the unchanged code")
    asked = parser.parse_args()
    chosen = [f for f in FAULTS if not asked.texts or any(t in f.name for t in asked.texts)]
    if asked.list or not chosen:
        print("\n".join(fault.name for fault in chosen) or "no such fault")
        return 0 if chosen else 2
    with tempfile.TemporaryDirectory(prefix="hexavox-mutants-") as folder:
        copies = [_copy_to(Path(folder) / str(number)) for number in range(max(asked.jobs, 1))]
        if not asked.no_baseline and not _passes_unchanged(copies[0], chosen):
            print("The tests fail without any fault: nothing can be judged.")
            return 1
        return _summary(_judge_all(copies, chosen))


def _copy_to(copy: Path) -> Path:
    """Copy what git tracks or would track, as it is in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / name, copy / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return copy


def _run(copy: Path, tests: Sequence[str]) -> tuple[int | None, str]:
    """Run tests in a copy until one fails; None is a time-out."""
    # Compiled files are judged by whole seconds: two faults of one second would be mixed up.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=copy,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout


def _passes_unchanged(copy: Path, chosen: Sequence[Fault]) -> bool:
    tests = sorted({test for fault in chosen for test in fault.tests.split()})
    status, output = _run(copy, tests)
    if status != 0:
        print(output[-3000:])
    return status == 0


def _judge_all(copies: Sequence[Path], chosen: Sequence[Fault]) -> Sequence[Judged]:
    """Judge the faults, each alone in a copy; as many at a time as there are copies."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def judge(fault: Fault) -> Judged:
        copy, began = free.get(), time.monotonic()
        source = fault.plant(copy)
        try:
            judged = _judged(fault, *_run(copy, fault.tests.split()))
        finally:
            (copy / fault.file).write_text(source)
            free.put(copy)
        print(f"{judged.outcome:9} {time.monotonic() - began:5.0f} s  {fault.name}", flush=True)
        return judged

    with ThreadPoolExecutor(len(copies)) as pool:
        return list(pool.map(judge, chosen))


def _judged(fault: Fault, status: int | None, output: str) -> Judged:
    if status == 0:
        outcome = Outcome.SURVIVED
    elif status in (None, _TESTS_FAILED):
        outcome = Outcome.NOTICED
    else:
        outcome = Outcome.BROKEN
    return Judged(fault, outcome, output)


def _summary(judged: Sequence[Judged]) -> int:
    """Print what survived; return the exit status."""
    bad = [one for one in judged if one.outcome is not Outcome.NOTICED]
    for one in bad:
        print(f"\n{one.outcome}: {one.fault.name}\n  by {one.fault.tests}")
        print(f"  - {one.fault.old.strip()}\n  + {one.fault.new.strip()}")
        if one.outcome is Outcome.BROKEN:
            print(one.output[-1500:])
    print(f"\n{len(judged)} faults planted, {len(judged) - len(bad)} noticed, {len(bad)} not")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
