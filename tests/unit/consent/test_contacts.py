"""Spellings of phone numbers."""

import re

import phonenumbers
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
def test_a_possible_number_is_returned_in_e164(given_: str, number: str) -> None:
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
def test_an_invalid_number_is_refused(given_: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        e164(given_)


@pytest.mark.parametrize(
    "given_",
    [
        "+15551234",  # within an area code
        "+1 555 0123",
        "+4420794601",  # within London
        "+91 2345 678",  # within an Indian one
        "+57 312 3456",  # within Colombia's
        "+54 4123 4567",  # within Buenos Aires
        "+7 123 4567",  # within a Russian area code
        "+10135551234",  # no area code begins with 0
        "+11135551234",  # nor with 1
        "+1 (013) 555-1234",
        "+18130551234",  # no exchange begins with 0
        "+18131551234",  # nor with 1
        "+17871551234",  # Puerto Rico keeps the same plan
        "+14160551234",  # and Canada
        "+18000551234",  # and toll-free
    ],
)
def test_numbers_unreachable_from_abroad_are_refused(given_: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        e164(given_)


@pytest.mark.parametrize(
    "number",
    [
        "+15005550000",  # reserved test numbers: Twilio's, and those of our simulator
        "+15005550006",
        "+15005559014",
        "+18135550199",
        "+18135559207",
        "+19115551234",  # N11 as an area code: left to the carrier
        "+17875551234",
        "+14165551234",
        "+18005550100",
        "+12025550123",
        "+447700900123",
    ],
)
def test_documented_numbers_are_not_refused(number: str) -> None:
    assert e164(number) == number


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_in_no_country_is_a_length_for_local_calls_only_taken(code: int) -> None:
    local = phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY
    for length in range(2, 13):
        number = f"+{code}{'5' * length}"
        try:
            taken = e164(number)
        except InvalidPhoneNumber:
            continue
        parsed = phonenumbers.parse(taken)
        assert phonenumbers.is_possible_number_with_reason(parsed) != local


@given(st.from_regex(r"\+1[0-9]{10}", fullmatch=True))
def test_a_north_american_number_is_taken_if_area_code_and_exchange_begin_with_2_to_9(
    number: str,
) -> None:
    right = re.fullmatch(r"\+1([2-9]\d\d){2}\d{4}", number, re.ASCII) is not None
    try:
        taken = e164(number) == number
    except InvalidPhoneNumber:
        taken = False
    assert taken is right


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


@pytest.mark.parametrize("exchange", [200, 211, 411, 555, 911, 950, 976, 999])
def test_a_north_american_number_is_what_the_library_reads(exchange: int) -> None:
    # These are returned without asking the library, which is slow.
    for area_code in range(200, 1000):
        number = f"+1{area_code}{exchange}0123"
        parsed = phonenumbers.parse(number, None)
        assert phonenumbers.is_possible_number(parsed)
        read = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        assert e164(f" {number} ") == read
