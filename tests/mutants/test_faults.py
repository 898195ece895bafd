"""Every fault in the list still applies, exactly once, and leaves valid code."""

import ast
from collections import Counter

import pytest

from tests.mutants.every_fault import FAULTS
from tests.mutants.fault import ROOT, DoesNotApply, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_applies_to_the_code_as_it_is(fault: Fault) -> None:
    source = (ROOT / fault.path).read_text()
    planted = fault.planted(source)
    assert planted != source
    ast.parse(planted)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_its_tests_are_there(fault: Fault) -> None:
    places = [word.partition("::")[0] for word in fault.tests if word.startswith("tests/")]
    assert places
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(FAULTS) >= 60
    assert [name for name, times in Counter(f.name for f in FAULTS).items() if times > 1] == []


SOURCE = """
class A:
    def f(self):
        return 1 + 1

def f():
    return 2

WORD = "b"
"""


def fault(place: str, old: str) -> Fault:
    return Fault("a fault", "a.py", place, old, "0", ("tests/unit",))


def test_a_fault_is_planted_in_its_place_only() -> None:
    assert fault("A.f", "1 + 1").planted(SOURCE) == SOURCE.replace("1 + 1", "0")
    assert fault("f", "2").planted(SOURCE) == SOURCE.replace("2", "0")
    assert fault("WORD", '"b"').planted(SOURCE) == SOURCE.replace('"b"', "0")


@pytest.mark.parametrize(
    ("place", "old"), [("A.f", "2"), ("A.f", "1"), ("A.g", "1 + 1"), ("g", "2"), ("B.f", "1 + 1")]
)
def test_a_fault_without_one_place_is_an_error(place: str, old: str) -> None:
    with pytest.raises(DoesNotApply):
        fault(place, old).planted(SOURCE)
