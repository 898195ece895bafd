"""Parsing rate cards: every wrong line is reported, and no version is in force before now."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cli.samples.place import RATES
from models.enums import Channel
from models.rules.billing.rate_file import COLUMNS, RateLine, read_rates

NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)
HEAD = ",".join(COLUMNS)
GOOD = "SMS,simulator,US,0.0083,0.0045,2000,0.001,"


def bad(*lines: str, head: str = HEAD) -> list[tuple[int, str]]:
    _, found = read_rates("\n".join([head, *lines]), NOW)
    assert found
    return [(line.number, line.reason) for line in found]


def test_a_line_is_read_as_it_is_written() -> None:
    later = (NOW + timedelta(days=1)).isoformat()
    lines, wrong = read_rates(f"{HEAD}\r\n{GOOD}\r\n\r\nEMAIL, ses ,,0.0001,,,,{later}\r\n", NOW)
    assert wrong == []
    assert lines == [
        RateLine(
            number=2,
            channel=Channel.SMS,
            provider="simulator",
            country="US",
            unit_cost=Decimal("0.0083"),
            carrier_fee=Decimal("0.0045"),
            markup_basis_points=2000,
            markup_flat=Decimal("0.001"),
            valid_from=NOW,
        ),
        RateLine(
            number=4,
            channel=Channel.EMAIL,
            provider="ses",
            country="",
            unit_cost=Decimal("0.0001"),
            carrier_fee=Decimal(0),
            markup_basis_points=0,
            markup_flat=Decimal(0),
            valid_from=NOW + timedelta(days=1),
        ),
    ]


def test_the_last_columns_may_be_absent_and_stand_in_any_order() -> None:
    lines, wrong = read_rates("unitCost,country,provider,channel\n1,,p,SMS\n", NOW)
    assert wrong == []
    assert [(line.unit_cost, line.carrier_fee) for line in lines] == [(Decimal(1), Decimal(0))]


@pytest.mark.parametrize("given", ["", "1999-01-01T00:00:00Z", NOW.isoformat()])
def test_a_moment_that_has_passed_means_now(given: str) -> None:
    (line,), _ = read_rates(f"{HEAD}\n{GOOD}{given}", NOW)
    assert line.valid_from == NOW


@pytest.mark.parametrize(
    "line",
    [
        "FAX,simulator,US,1,0,0,0,",
        "SMS,Twilio,US,1,0,0,0,",
        "SMS,,US,1,0,0,0,",
        "SMS,simulator,XX,1,0,0,0,",
        "SMS,simulator,us,1,0,0,0,",
        "EMAIL,ses,US,1,0,0,0,",
        "SMS,simulator,US,,0,0,0,",
        "SMS,simulator,US,-1,0,0,0,",
        "SMS,simulator,US,0.0000001,0,0,0,",
        "SMS,simulator,US,1e3,0,0,0,",
        "SMS,simulator,US,NaN,0,0,0,",
        "SMS,simulator,US,1,x,0,0,",
        "SMS,simulator,US,1,0,0.5,0,",
        "SMS,simulator,US,1,0,0,1234567,",
        "SMS,simulator,US,1,0,0,0,tomorrow",
        "SMS,simulator,US,1,0,0,0,2026-05-01T00:00:00",
        "SMS,simulator,US,1,0,0,0",
        "SMS,simulator,US,1,0,0,0,,more",
    ],
)
def test_a_line_that_is_wrong_is_named(line: str) -> None:
    assert [number for number, _ in bad(GOOD, line)] == [3]


def test_every_wrong_line_is_reported() -> None:
    assert [n for n, _ in bad("FAX,p,,1,,,,", GOOD, "SMS,p,XX,1,,,,")] == [2, 4]


def test_a_repeated_line_is_an_error() -> None:
    assert bad(GOOD, GOOD) == [(3, "says what line 2 says already")]


def test_conflicting_lines_and_repeated_lines_have_different_errors() -> None:
    ((number, reason),) = bad(GOOD, GOOD.replace("0.0083", "0.0084"))
    assert (number, reason.split(",")[0]) == (3, "is of the same card as line 2")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("SMS,simulator,US,999999999,0,0,0,", "unitCost is over the highest amount, 999999.999999"),
        ("SMS,simulator,US,1,1000000,0,0,", "carrierFee is over the highest amount, 999999.999999"),
        (
            "SMS,simulator,US,1,0,0,1000000.5,",
            "markupFlat is over the highest amount, 999999.999999",
        ),
        ("SMS,simulator,US,1,0,1000000,0,", "markupBasisPoints is over the limit, 999999"),
    ],
)
def test_the_error_of_a_figure_over_its_limit_states_the_limit(line: str, reason: str) -> None:
    assert bad(line) == [(2, reason)]


def test_the_limits_themselves_are_taken() -> None:
    highest = "999999.999999"
    ((line,), wrong) = read_rates(f"{HEAD}\nSMS,p,,{highest},{highest},999999,{highest},", NOW)
    assert wrong == []
    assert (line.unit_cost, line.markup_basis_points) == (Decimal(highest), 999_999)


@pytest.mark.parametrize(
    "head", ["", "channel,provider,country", f"{HEAD},colour", f"{HEAD},channel"]
)
def test_a_wrong_header_is_reported_first(head: str) -> None:
    assert [number for number, _ in bad(GOOD, head=head)] == [1]


def test_a_file_without_lines_is_wrong() -> None:
    assert [number for number, _ in bad()] == [1]


def test_a_broken_quote_is_no_crash() -> None:
    assert bad('"SMS,simulator')


def test_the_sample_is_good_and_covers_the_simulator_everywhere() -> None:
    lines, wrong = read_rates(RATES.read_text(), NOW)
    assert wrong == []
    anywhere = {x.channel for x in lines if x.provider == "simulator" and not x.country}
    assert anywhere == set(Channel)
