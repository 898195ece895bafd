"""The list of planted faults fits today's code, so that `make mutants` keeps its meaning."""

from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.fault import Fault, FaultDoesNotApply
from tests.mutants.faults import FAULTS

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_changes_its_place_once(fault: Fault) -> None:
    source = (ROOT / fault.file).read_text()
    assert fault.planted_in(source) != source


def test_every_named_test_exists() -> None:
    named = {test for fault in FAULTS for test in fault.tests.split()}
    assert [test for test in sorted(named) if not (ROOT / test.partition("::")[0]).exists()] == []


def test_no_fault_is_listed_twice() -> None:
    assert [name for name, times in Counter(f.name for f in FAULTS).items() if times > 1] == []


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("absent", "return 1", "return 2"),
        ("Box.open", "return 2", "return 3"),
        ("Box.open", "return 1", "return ("),
        ("twice", "1", "2"),
        ("Box.open", "return 1", "return 1"),
    ],
)
def test_what_does_not_fit_exactly_is_refused(place: str, old: str, new: str) -> None:
    source = "class Box:\n    def open(self):\n        return 1\ntwice = 1 + 1\n"
    fault = Fault(file="box.py", place=place, old=old, new=new, tests="tests")
    with pytest.raises(FaultDoesNotApply):
        fault.planted_in(source)


def test_only_the_place_is_changed() -> None:
    source = "a = 1\n\n\n@final\ndef f():\n    return 1\n\n\nb = 1\n"
    fault = Fault(file="f.py", place="f", old="return 1", new="return 2", tests="tests")
    assert fault.planted_in(source) == source.replace("return 1", "return 2")
