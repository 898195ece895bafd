"""Phone numbers as integrators write them."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.enums import Channel
from models.errors import InvalidPhoneNumber
from models.rules.consent.contacts import e164, merged_contact

E164 = re.compile(r"\+[1-9][0-9]{1,14}")


@pytest.mark.parametrize(
    ("given_", "number"),
    [
        ("+18135551234", "+18135551234"),
        (" +1 (813) 555-1234 ", "+18135551234"),
        ("+1-813-555-1234", "+18135551234"),
        ("+15005550006", "+15005550006"),
        ("+447700900123", "+447700900123"),
        ("+8613800138000", "+8613800138000"),
        ("+390612345678", "+390612345678"),
    ],
)
def test_a_possible_number_is_told_in_e164(given_: str, number: str) -> None:
    assert e164(given_) == number


@pytest.mark.parametrize(
    "given_",
    [
        "",
        "+",
        "+0",
        "8135551234",
        "0018135551234",
        "tel:+18135551234",
        "+1813555123",
        "+181355512345",
        "+1813555123a",
        "+18135551234 x5",
        "+18135551234;ext=5",
        "+18135551234;phone-context=+44",
        "+18135551234, +18135551235",
        "+999999999999",
        "+49" + "1" * 15,
        "+" + "1" * 40,
        "＋18135551234",
        "+1813555123٤",
        "+１８１３５５５１２３４",
        "+1८१३५५५१२३४",
        "+1813555‐1234",
        "+1\u00a0813\u00a0555\u00a01234",
        "+18135551234\u3000",
    ],
)
def test_what_is_no_number_is_refused(given_: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        e164(given_)


@given(
    st.text(max_size=40) | st.text("+0123456789 ()-.;=extphonco\x00", max_size=40).map("+{}".format)
)
@example("+49" + "1" * 14)
def test_any_text_is_a_number_of_at_most_fifteen_digits_or_refused(text: str) -> None:
    try:
        number = e164(text)
    except InvalidPhoneNumber:
        return
    assert E164.fullmatch(number)
    assert e164(number) == number


def test_two_ways_of_writing_one_contact_are_the_same() -> None:
    assert merged_contact(Channel.EMAIL, " Ann@Example.COM ") == merged_contact(
        Channel.EMAIL, "ann@example.com"
    )
    assert merged_contact(Channel.SMS, "+1 813 555 1234") == merged_contact(
        Channel.SMS, "+18135551234"
    )
    assert merged_contact(Channel.VOICE, "+1 813 555 1234") == "+18135551234"
