"""Mutation testing: plants faults in a copy of the code and prints those that no test detects.

A fault is detected if one of its tests fails. Exit code 1: some were not detected, or a fault's
tests fail without it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests.mutants.every_fault import FAULTS
from tests.mutants.fault import ROOT, Fault

_LONGEST: Final = 300
"""Seconds for the tests of one fault; a timeout counts as detected."""

_LEFT_OUT: Final = shutil.ignore_patterns(
    ".*", "__pycache__", "node_modules", "*.egg-info", "build"
)
_PASSED, _FAILED = 0, 1
"""pytest's exit codes; any other means that it could not run."""


class Outcome(StrEnum):
    """Result of a fault."""

    NOTICED = "noticed"
    HUNG = "noticed (its tests did not end)"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN (its tests could not be run)"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the tree, with one fault at a time."""

    root: Path

    def outcome_of(self, fault: Fault) -> Outcome:
        """Plant a fault, run its tests, and remove it."""
        with self._planted(fault):
            try:
                code = self._run(fault.tests).returncode
            except subprocess.TimeoutExpired:
                return Outcome.HUNG
        return {_PASSED: Outcome.SURVIVED, _FAILED: Outcome.NOTICED}.get(code, Outcome.BROKEN)

    def failing(self, tests: Sequence[str]) -> str | None:
        """Return pytest's output for tests that fail without a fault."""
        ran = self._run(tests)
        return None if ran.returncode == _PASSED else ran.stdout[-3000:]

    def _run(self, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
        pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        return subprocess.run(
            pytest,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )

    @contextmanager
    def _planted(self, fault: Fault) -> Iterator[None]:
        path = self.root / fault.path
        source = path.read_text()
        path.write_text(fault.planted(source))
        try:
            yield
        finally:
            path.write_text(source)


@contextmanager
def copied() -> Iterator[Copy]:
    """Copy the tree without what is not code; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hexavox-mutants-") as folder:
        root = Path(folder) / "tree"
        shutil.copytree(ROOT, root, ignore=_LEFT_OUT)
        yield Copy(root)


def main(words: Sequence[str] | None = None) -> int:
    """Run the requested faults; return the exit code."""
    asked = _arguments().parse_args(words)
    chosen = [f for f in FAULTS if all(word in f"{f.path} {f.name}" for word in asked.words)]
    chosen = chosen[asked.start :]
    if asked.list or not chosen:
        print("\n".join(f"{fault.path}: {fault.name}" for fault in chosen) or "no such fault")
        return 0 if chosen else 1
    with copied() as copy:
        if not asked.no_baseline and not _sound(copy, chosen):
            return 1
        outcomes = {fault: _try(copy, fault) for fault in chosen}
    missed = [f for f, outcome in outcomes.items() if outcome in (Outcome.SURVIVED, Outcome.BROKEN)]
    print(f"\n{len(chosen) - len(missed)} of {len(chosen)} faults were noticed.")
    for fault in missed:
        print(f"{outcomes[fault]}: {fault.name} ({fault.path}, {' '.join(fault.tests)})")
    return 1 if missed else 0


def _sound(copy: Copy, faults: Sequence[Fault]) -> bool:
    """Check that the tests pass without a fault: one that always fails detects nothing."""
    for tests in dict.fromkeys(fault.tests for fault in faults):
        if (told := copy.failing(tests)) is not None:
            print(f"{' '.join(tests)} does not pass without any fault:\n{told}")
            return False
    return True


def _try(copy: Copy, fault: Fault) -> Outcome:
    began = time.monotonic()
    outcome = copy.outcome_of(fault)
    took = time.monotonic() - began
    print(f"{took:5.0f} s  {outcome}: {fault.name} ({fault.path})", flush=True)
    return outcome


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults with these words in path or name")
    parser.add_argument("--list", action="store_true", help="only print the faults")
    parser.add_argument("--start", type=int, default=0, help="leave out so many at the beginning")
    parser.add_argument(
        "--no-baseline", action="store_true", help="do not run the tests without a fault first"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
