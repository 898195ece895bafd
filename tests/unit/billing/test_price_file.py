"""Parsing price lists: every wrong line is reported, and amounts are exact."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.samples.place import PRICES
from models.enums import Channel
from models.rules.billing.currencies import CURRENCIES, decimals_of, written
from models.rules.billing.price_file import COLUMNS, MOST_CENTS, MOST_UNITS, PriceLine, read_prices

NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)
HEAD = ",".join(COLUMNS)
GOOD = "SMS,2500,49.00,USD,,all"


def bad(*lines: str, head: str = HEAD) -> list[tuple[int, str]]:
    _, found = read_prices("\n".join([head, *lines]), NOW)
    assert found
    return [(line.number, line.reason) for line in found]


def test_a_line_is_read_as_it_is_written() -> None:
    later = (NOW + timedelta(days=1)).isoformat()
    text = (
        f"\ufeff{HEAD}\r\n{GOOD}\r\n\r\n VOICE , 1 ,4900,JPY,{later},gym\r\nEMAIL,7,none,KWD,,\r\n"
    )
    lines, wrong = read_prices(text, NOW)
    assert wrong == []
    assert lines == [
        PriceLine(
            number=2,
            channel=Channel.SMS,
            units=2500,
            amount_cents=4900,
            currency="USD",
            valid_from=NOW,
            tenant=None,
        ),
        PriceLine(
            number=4,
            channel=Channel.VOICE,
            units=1,
            amount_cents=4900,
            currency="JPY",
            valid_from=NOW + timedelta(days=1),
            tenant="gym",
        ),
        PriceLine(
            number=5,
            channel=Channel.EMAIL,
            units=7,
            amount_cents=None,
            currency="KWD",
            valid_from=NOW,
            tenant=None,
        ),
    ]


def test_the_last_columns_may_be_absent_and_stand_in_any_order() -> None:
    lines, wrong = read_prices("currency,amount,units,channel\nKWD,49.000,1,SMS\n", NOW)
    assert wrong == []
    assert [(line.amount_cents, line.tenant) for line in lines] == [(49_000, None)]


@pytest.mark.parametrize("given", ["", "1999-01-01T00:00:00Z", NOW.isoformat()])
def test_a_moment_that_has_passed_means_now(given: str) -> None:
    (line,), _ = read_prices(f"{HEAD}\nSMS,1,1.00,USD,{given},", NOW)
    assert line.valid_from == NOW


UNITS = "units is no whole number from 1 to 10000000"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("FAX,1,1.00,USD,,", "channel is none of SMS, VOICE, EMAIL"),
        ("sms,1,1.00,USD,,", "channel is none of SMS, VOICE, EMAIL"),
        (",1,1.00,USD,,", "channel is none of SMS, VOICE, EMAIL"),
        ("SMS,0,1.00,USD,,", UNITS),
        ("SMS,-1,1.00,USD,,", UNITS),
        ("SMS,,1.00,USD,,", UNITS),
        ("SMS,1.5,1.00,USD,,", UNITS),
        ("SMS,1e3,1.00,USD,,", UNITS),
        ("SMS,٣,1.00,USD,,", UNITS),
        ("SMS,10000001,1.00,USD,,", UNITS),
        (f"SMS,{'9' * 5000},1.00,USD,,", UNITS),
        ("SMS,1,0.00,USD,,", "amount is not from 0.01 to 999999.99 USD"),
        ("SMS,1,1000000.00,USD,,", "amount is not from 0.01 to 999999.99 USD"),
        ("SMS,1,100000000,JPY,,", "amount is not from 1 to 99999999 JPY"),
        ("SMS,1,100000.000,KWD,,", "amount is not from 0.001 to 99999.999 KWD"),
        ("SMS,1,4900,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,49.0,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,49.000,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,-49.00,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,+49.00,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,NaN,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,$49.00,USD,,", "amount is not written as USD is: 12.00, say, or none"),
        ("SMS,1,49.00,JPY,,", "amount is not written as JPY is: 12, say, or none"),
        ("SMS,1,49.00,KWD,,", "amount is not written as KWD is: 12.000, say, or none"),
        ("SMS,1,1.00,usd,,", "currency is no code of ISO 4217 in capital letters, such as USD"),
        ("SMS,1,1.00,XAU,,", "currency is no code of ISO 4217 in capital letters, such as USD"),
        ("SMS,1,1.00,,,", "currency is no code of ISO 4217 in capital letters, such as USD"),
        ("SMS,1,1.00,USD,tomorrow,", "validFrom is no ISO 8601 time with a time zone"),
        ("SMS,1,1.00,USD,2026-05-01T00:00,", "validFrom is no ISO 8601 time with a time zone"),
        ("SMS,1,1.00,USD,,Gym A", "tenant is no name of a tenant, nor all"),
        ("SMS,1,1.00,USD,", "has more or fewer cells than the heading"),
        ("SMS,1,1.00,USD,,,more", "has more or fewer cells than the heading"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_the_reason(line: str, reason: str) -> None:
    assert bad(GOOD, line) == [(3, reason)]


def test_every_wrong_line_is_reported() -> None:
    assert [n for n, _ in bad("FAX,1,1.00,USD,,", GOOD, "SMS,0,1.00,USD,,")] == [2, 4]


def test_two_lines_for_the_same_units_from_one_moment_are_wrong() -> None:
    dearer = GOOD.replace("49.00", "50.00")
    assert bad(GOOD, GOOD) == [(3, "says what line 2 says already")]
    assert bad(GOOD, dearer) == [
        (3, "prices the same units as line 2, from the same moment, otherwise")
    ]


def test_one_pack_may_have_a_price_in_each_currency_and_for_each_tenant() -> None:
    later = (NOW + timedelta(days=1)).isoformat()
    lines, wrong = read_prices(
        f"{HEAD}\n{GOOD}\nSMS,2500,45.00,EUR,,all\nSMS,2500,40.00,USD,,gym\nSMS,2500,52.00,USD,{later},",
        NOW,
    )
    assert (len(lines), wrong) == (4, [])


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("", "does not name channel, units, amount, currency"),
        ("channel,units,currency", "does not name amount"),
        (f"{HEAD},colour", "names columns there are none of: colour"),
        (f"{HEAD},channel", "names a column twice"),
        (HEAD.replace(",", ";"), "does not name channel, units, amount, currency"),
    ],
)
def test_a_wrong_header_is_reported_first(head: str, reason: str) -> None:
    assert bad(GOOD, head=head) == [(1, reason)]


@pytest.mark.parametrize("text", ["", "\ufeff", "\n\n", f"{HEAD}\n", f"{HEAD}\r\n\r\n,,,,,\r\n"])
def test_a_file_without_lines_is_wrong(text: str) -> None:
    lines, wrong = read_prices(text, NOW)
    assert (lines, [line.number for line in wrong]) == ([], [1])


def test_a_broken_quote_is_no_crash() -> None:
    assert bad('"SMS,1')


def test_the_limits_themselves_are_taken() -> None:
    ((line,), wrong) = read_prices(f"{HEAD}\nSMS,{MOST_UNITS},999999.99,USD,,", NOW)
    assert wrong == []
    assert (line.units, line.amount_cents) == (MOST_UNITS, MOST_CENTS)


@given(cents=st.integers(1, MOST_CENTS), currency=st.sampled_from(sorted(CURRENCIES)))
def test_what_is_written_is_read_as_the_same_amount(cents: int, currency: str) -> None:
    amount = written(cents, currency)
    ((line,), wrong) = read_prices(f"{HEAD}\nSMS,1,{amount},{currency},,", NOW)
    assert (wrong, line.amount_cents) == ([], cents)
    assert Decimal(amount) * 10 ** decimals_of(currency) == cents


@given(st.text(alphabet="0123456789.,-+eE٣ nN$", max_size=12))
def test_an_amount_is_read_exactly_or_refused(given: str) -> None:
    lines, wrong = read_prices(f'{HEAD}\nSMS,1,"{given}",USD,,', NOW)
    if not wrong:
        assert lines[0].amount_cents == Decimal(given.strip()) * 100


def test_the_sample_is_good_and_holds_the_guides_example() -> None:
    lines, wrong = read_prices(PRICES.read_text(), NOW)
    assert wrong == []
    assert (Channel.SMS, 2500, 4900, "USD") in {
        (line.channel, line.units, line.amount_cents, line.currency) for line in lines
    }
    assert {line.channel for line in lines} == set(Channel)
