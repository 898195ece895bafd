"""Keys of the lines of a batch: short enough, and never shared by two batches."""

import pytest

from models.rules.messages.batches.keys import LONGEST_KEY_BASE, MAX_LINES, key_base, line_key


@pytest.mark.parametrize("length", [1, 64, LONGEST_KEY_BASE, LONGEST_KEY_BASE + 1, 255])
def test_the_longest_key_of_a_line_fits(length: int) -> None:
    base = key_base("k" * length)
    assert len(base) <= LONGEST_KEY_BASE
    assert len(line_key(base, MAX_LINES, None)) <= 255
    assert (base == "k" * length) == (length <= LONGEST_KEY_BASE)


def test_a_line_has_its_own_key_or_that_of_its_place() -> None:
    assert line_key("b", 7, None) == "b/7"
    assert line_key("b", 7, "mine") == "mine"


def test_no_two_batch_keys_have_one_base() -> None:
    long = "k" * 255
    keys = [long, key_base(long), "k" * 254, "k" * LONGEST_KEY_BASE, "sha256:", "sha256:x"]
    assert len({key_base(key) for key in keys}) == len(keys)
