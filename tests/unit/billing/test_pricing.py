"""Prices: exact, rounded by one rule, by the rate in force at acceptance."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import Channel, PriceSource, UnpricedReason, UsageState
from models.rules.billing.pricing import Card, billed_by_aws, choose, country_of, kept, price

ACCEPTED = datetime(2026, 4, 16, 12, tzinfo=UTC)
OURS, DEFAULTS = 7, 0

AMOUNTS = st.integers(0, 10**12 - 1).map(lambda micros: Decimal(micros).scaleb(-6))
UNITS = st.integers(0, 10_000)
REPORTED = st.none() | st.decimals(0, 10**6, allow_nan=False, places=9)


def card(
    *,
    tenant_id: int = DEFAULTS,
    country: str = "",
    since: timedelta = timedelta(days=-1),
    unit_cost: Decimal = Decimal("0.0083"),
    carrier_fee: Decimal = Decimal("0.0045"),
    basis_points: int = 2000,
    flat: Decimal = Decimal("0.001"),
) -> Card:
    return Card(
        tenant_id=tenant_id,
        provider="p",
        country=country,
        valid_from=ACCEPTED + since,
        unit_cost=unit_cost,
        carrier_fee=carrier_fee,
        markup_basis_points=basis_points,
        markup_flat=flat,
    )


CARDS = st.builds(
    card,
    tenant_id=st.sampled_from([OURS, DEFAULTS]),
    country=st.sampled_from(["US", ""]),
    since=st.integers(-5, 5).map(lambda days: timedelta(days=days)),
    unit_cost=AMOUNTS,
    carrier_fee=AMOUNTS,
    basis_points=st.integers(0, 999_999),
    flat=AMOUNTS,
)


def rounded(exact: Fraction) -> Decimal:
    """Round to six decimals, half to even, by another method than the code's."""
    micros, rest = divmod(exact * 10**6, 1)
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and micros % 2 == 1)
    return Decimal(int(micros) + up).scaleb(-6, Context(prec=60))


def test_three_segments_cost_what_the_card_says() -> None:
    found = price(3, card(), told=None, awaited=False)
    assert (found.cost, found.carrier_fee) == (Decimal("0.0249"), Decimal("0.0135"))
    assert found.markup == Decimal("0.00768") + Decimal("0.003")
    assert found.total == Decimal("0.04908")
    assert (found.priced_by, found.gap, found.state) == (PriceSource.CARD, None, UsageState.FINAL)


@pytest.mark.parametrize(
    ("basis_points", "markup"),
    [(1, "0.000000"), (2, "0.000000"), (5, "0.000000"), (15, "0.000002")],
)
def test_half_a_millionth_goes_to_the_even_one(basis_points: int, markup: str) -> None:
    """0.001 × 5 / 10,000 is half a millionth, × 15 one and a half."""
    given = card(
        unit_cost=Decimal("0.001"),
        carrier_fee=Decimal(0),
        basis_points=basis_points,
        flat=Decimal(0),
    )
    assert price(1, given, told=None, awaited=False).markup == Decimal(markup)
    assert kept(Decimal("0.0000005")) == 0
    assert kept(Decimal("0.0000015")) == Decimal("0.000002")


@given(UNITS, CARDS, REPORTED, st.booleans())
def test_every_amount_is_exact_but_for_one_rounding(
    units: int, given: Card, told: Decimal | None, awaited: bool
) -> None:
    found = price(units, given, told=told, awaited=awaited)
    cost = rounded(Fraction(told)) if told is not None else units * given.unit_cost
    assert found.cost == cost
    assert found.carrier_fee == units * given.carrier_fee
    share = Fraction(found.cost + found.carrier_fee) * given.markup_basis_points / 10_000
    assert found.markup == rounded(share) + units * given.markup_flat
    assert min(found.cost, found.carrier_fee, found.markup) >= 0
    for amount in (found.cost, found.carrier_fee, found.markup, found.total):
        assert amount == amount.quantize(Decimal("0.000001"), rounding=ROUND_HALF_EVEN)


@given(UNITS, st.none() | CARDS, REPORTED, st.booleans())
def test_a_price_is_final_unless_it_names_what_is_missing(
    units: int, given: Card | None, told: Decimal | None, awaited: bool
) -> None:
    found = price(units, given, told=told, awaited=awaited)
    if given is None:
        assert found.gap is UnpricedReason.RATE_MISSING
        assert found.markup == found.carrier_fee == 0
    elif told is None and awaited:
        assert found.gap is UnpricedReason.VENDOR_PRICE
    else:
        assert found.gap is None
    vendor = told is not None or awaited
    assert found.priced_by is (PriceSource.VENDOR if vendor else PriceSource.CARD)
    assert found.state is (UsageState.FINAL if found.gap is None else UsageState.PROVISIONAL)


def test_the_closest_card_in_force_is_chosen_and_its_newest_version() -> None:
    ranked = [
        card(tenant_id=OURS, country="US"),
        card(tenant_id=OURS, country="US", since=timedelta(days=-2)),
        card(tenant_id=OURS),
        card(country="US"),
        card(),
    ]
    while ranked:
        assert choose(reversed(ranked), ACCEPTED) is ranked.pop(0)
    assert choose([], ACCEPTED) is None


def test_a_card_is_in_force_from_its_very_moment_on() -> None:
    now, later = card(since=timedelta(0)), card(since=timedelta(microseconds=1), tenant_id=OURS)
    assert choose([now, later], ACCEPTED) is now


def test_a_message_without_a_rate_takes_the_first_one_added() -> None:
    first = card(since=timedelta(days=1))
    closer = card(since=timedelta(days=1), tenant_id=OURS)
    later = card(since=timedelta(days=2), tenant_id=OURS, country="US")
    assert choose([later, first], ACCEPTED) is first
    assert choose([later, first, closer], ACCEPTED) is closer


@given(st.lists(CARDS, min_size=1, max_size=8), st.randoms())
def test_a_choice_does_not_hang_on_the_order_of_the_cards(
    cards: list[Card], random: object
) -> None:
    cards = list({(c.tenant_id, c.country, c.valid_from): c for c in cards}.values())
    shuffled = list(cards)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(cards, ACCEPTED) is choose(shuffled, ACCEPTED)


@given(st.lists(CARDS, max_size=6), CARDS)
def test_a_version_added_later_changes_no_price_that_a_card_in_force_made(
    cards: list[Card], added: Card
) -> None:
    """An import adds versions in force from now on, so it changes no settled price."""
    before = choose(cards, ACCEPTED)
    if before is not None and before.valid_from <= ACCEPTED < added.valid_from:
        assert choose([*cards, added], ACCEPTED) is before


@pytest.mark.parametrize(
    ("contact", "country"),
    [
        ("+18135551234", "US"),
        ("+14165550123", "CA"),
        ("+35312345678", "IE"),
        ("+80012345678", ""),
        ("+447700900123", ""),
        ("nonsense", ""),
    ],
)
def test_a_number_is_of_the_country_whose_plan_knows_it(contact: str, country: str) -> None:
    assert country_of(Channel.SMS, contact) == country
    assert country_of(Channel.EMAIL, "member@example.com") == ""


def test_aws_is_separate_from_other_providers() -> None:
    assert [billed_by_aws(name) for name in ("ses", "aws-sms", "simulator", "twilio")] == [
        True,
        True,
        False,
        False,
    ]
