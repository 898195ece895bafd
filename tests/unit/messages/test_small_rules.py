"""Consent, validity, periods and credentials."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import ConsentStatus, ErrorCode, MessageType
from models.errors import ConsentOptedOut, ConsentRequired, MerchantInactive, PolicyForbids
from models.rules.billing.periods import day_of, first_day, month_of
from models.rules.consent.consent import consent_forbids
from models.rules.messages.refusals import refusal
from models.rules.messages.validity import expiry
from models.rules.tenants.credentials import hash_credential, new_credentials, same_hash

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUIET = set(MessageType) - {MessageType.MARKETING}


@pytest.mark.parametrize("message_type", MessageType)
def test_an_opted_out_contact_is_never_sent_to(message_type: MessageType) -> None:
    assert consent_forbids(message_type, ConsentStatus.OPT_OUT) is ErrorCode.CONSENT_OPTED_OUT


def test_marketing_needs_a_yes_on_record_and_nothing_else_does() -> None:
    assert consent_forbids(MessageType.MARKETING, None) is ErrorCode.CONSENT_REQUIRED
    assert consent_forbids(MessageType.MARKETING, ConsentStatus.OPT_IN) is None
    assert {consent_forbids(t, c) for t in QUIET for c in (None, ConsentStatus.OPT_IN)} == {None}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (ErrorCode.CONSENT_OPTED_OUT, ConsentOptedOut),
        (ErrorCode.CONSENT_REQUIRED, ConsentRequired),
        (ErrorCode.MERCHANT_INACTIVE, MerchantInactive),
    ],
)
def test_a_refusal_has_the_error_code_of_the_later_end(
    code: ErrorCode, error: type[PolicyForbids]
) -> None:
    assert type(refusal(code)) is error
    assert error.code == code.value


def test_a_one_time_password_is_worth_ten_minutes_and_the_rest_for_ever() -> None:
    assert expiry(MessageType.OTP, AT, None) == AT + timedelta(seconds=600)
    assert {expiry(t, AT, None) for t in set(MessageType) - {MessageType.OTP}} == {None}


@pytest.mark.parametrize("message_type", MessageType)
def test_a_given_validity_counts_for_every_type(message_type: MessageType) -> None:
    assert expiry(message_type, AT, timedelta(seconds=30)) == AT + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("moment", "month", "day"),
    [
        (datetime(2026, 12, 1, tzinfo=UTC), "2026-12", date(2026, 12, 1)),
        (datetime(2026, 11, 30, 23, 59, 59, 999999, UTC), "2026-11", date(2026, 11, 30)),
        (
            datetime(2026, 12, 1, 0, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            "2026-11",
            date(2026, 11, 30),
        ),
        (
            datetime(2026, 12, 31, 19, 0, tzinfo=ZoneInfo("America/New_York")),
            "2027-01",
            date(2027, 1, 1),
        ),
    ],
)
def test_months_and_days_begin_at_midnight_utc(moment: datetime, month: str, day: date) -> None:
    assert (month_of(moment), day_of(moment)) == (month, day)


@given(
    st.integers(10**8, 7 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.integers(-14, 14),
)
def test_no_zone_changes_what_month_it_is(moment: datetime, offset: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=offset)))
    assert (month_of(elsewhere), day_of(elsewhere)) == (month_of(moment), day_of(moment))
    assert first_day(month_of(moment)) == day_of(moment).replace(day=1)


def test_credentials_are_never_the_same_and_hashed_alike() -> None:
    one, other = new_credentials(), new_credentials()
    assert len({one.key, one.secret, other.key, other.secret}) == 4
    assert same_hash(hash_credential(one.key), hash_credential(one.key))
    assert not same_hash(hash_credential(one.key), hash_credential(one.secret))
    assert len(hash_credential("\ud800ü")) == 64
