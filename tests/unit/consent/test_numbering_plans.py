"""Numbering plans in which one subscriber has two numbers."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.enums import Channel
from models.errors import InvalidPhoneNumber
from models.rules.consent.contacts import e164, merged_contact

DIGITS = st.text("0123456789", min_size=6, max_size=12)
CODES = st.sampled_from(["52", "521", "54", "549", "55", "229", "22901", "970", "972", "39", "378"])
NUMBERS = st.builds("+{}{}".format, CODES, DIGITS)

PAIRS = [
    ("+5215512345678", "+525512345678"),  # Mexico
    ("+52 1 33 1234 5678", "+52 33 1234 5678"),
    ("+52 1 656 123 4567", "+526561234567"),
    ("+5491123456789", "+541123456789"),  # Argentina
    ("+54 9 351 123 4567", "+54 351 123 4567"),
    ("+54 9 2966 12 3456", "+542966123456"),
    ("+54 11 15 2345 6789", "+541123456789"),
    ("+551187654321", "+5511987654321"),  # Brazil
    ("+55 61 9876 5432", "+55 61 99876 5432"),
    ("+55 85 6543 2109", "+55 85 96543 2109"),
    ("+22997123456", "+2290197123456"),  # Benin
    ("+229 21 30 12 34", "+229 01 21 30 12 34"),
    ("+970599123456", "+972599123456"),  # Palestine
    ("+970 56 912 3456", "+972 56 912 3456"),
    ("+970 2 296 1234", "+972 2 296 1234"),
    ("+390549886377", "+3780549886377"),  # San Marino
    ("+378886377", "+39 0549 886377"),
]
"""Two numbers of one subscriber."""

STRANGERS = [
    ("+525512345678", "+525512345679"),
    ("+5491123456789", "+5491123456780"),
    ("+541123456789", "+542914567890"),
    ("+551132345678", "+5511932345678"),  # a fixed line and a mobile phone
    ("+551177654321", "+5511977654321"),  # trunked radio kept its eight digits
    ("+551187654321", "+551287654321"),
    ("+2290197123456", "+2290197123457"),
    ("+970599123456", "+970569123456"),
    ("+970599123456", "+972549123456"),
    ("+97022961234", "+97222961235"),
    ("+390549886377", "+390541886377"),  # San Marino and Rimini
    ("+37866123456", "+393661234567"),
    ("+447700900123", "+447700900124"),
]
"""Similar numbers of two subscribers."""


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_subscriber(one: str, other: str) -> None:
    assert merged_contact(Channel.SMS, one) == merged_contact(Channel.SMS, other)


@pytest.mark.parametrize(("one", "other"), STRANGERS)
def test_two_subscribers(one: str, other: str) -> None:
    assert merged_contact(Channel.SMS, one) != merged_contact(Channel.SMS, other)


@pytest.mark.parametrize(
    ("former", "number"),
    [
        ("+5215512345678", "+525512345678"),
        ("+551187654321", "+5511987654321"),
        ("+22997123456", "+2290197123456"),
    ],
)
def test_a_form_that_does_not_connect_any_more_is_read_as_what_replaced_it(
    former: str, number: str
) -> None:
    assert e164(former) == number


@pytest.mark.parametrize(
    "number",
    ["+5491123456789", "+541123456789", "+970599123456", "+972599123456", "+390549886377"],
)
def test_a_form_that_connects_is_sent_to_as_it_is(number: str) -> None:
    assert e164(number) == number


@example("+54000000000000")
@given(NUMBERS)
def test_the_merged_form_is_a_number_that_merges_into_itself(number: str) -> None:
    try:
        merged = merged_contact(Channel.SMS, number)
    except InvalidPhoneNumber:
        return
    assert merged_contact(Channel.SMS, merged) == merged
    assert e164(merged) == merged


@given(NUMBERS, NUMBERS)
def test_two_numbers_meet_only_if_they_end_alike(one: str, other: str) -> None:
    """No form changes the last six digits, so numbers that differ in them are different
    subscribers.
    """
    try:
        meet = merged_contact(Channel.SMS, one) == merged_contact(Channel.SMS, other)
    except InvalidPhoneNumber:
        return
    if meet:
        assert e164(one)[-6:] == e164(other)[-6:]


@given(st.integers(2 * 10**9, 4 * 10**9 - 1))
def test_of_one_national_number_the_forms_of_a_plan_meet_and_no_others_do(national: int) -> None:
    for first, second in (("+521", "+52"), ("+549", "+54")):
        try:
            e164(f"{second}{national}")
        except InvalidPhoneNumber:
            continue
        try:
            one = merged_contact(Channel.SMS, f"{first}{national}")
        except InvalidPhoneNumber:
            continue
        assert one == merged_contact(Channel.SMS, f"{second}{national}")
        assert one != merged_contact(Channel.SMS, f"{second}{national ^ 1}")
        assert re.fullmatch(r"\+5[24]\d{10,11}", one)
