"""The choice of a sender number."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import Channel, DeliveryMode
from models.rules.registration.vocabulary import EntityType, NumberType, UseCase
from models.rules.senders.campaign_throughput import by_default, of_class, shares
from models.rules.senders.sender_choice import (
    OwnNumber,
    Senders,
    choose,
    exists,
    may_send,
    needs_registration,
    us_type,
)

LONG, TOLL_FREE, LONDON = "+12125550123", "+18335550123", "+442071838750"

numbers = st.one_of(
    st.integers(200, 999).map(lambda n: f"+1212{n}0123"),
    st.integers(200, 999).map(lambda n: f"+1833{n}0123"),
    st.integers(10, 99).map(lambda n: f"+4420718387{n}"),
)
own_numbers = st.lists(
    st.builds(OwnNumber, number=numbers, ready=st.booleans()),
    max_size=6,
    unique_by=lambda own: own.number,
)
pools = st.lists(numbers, max_size=6, unique=True)
contacts = st.sampled_from(["+18135551234", "+18135551235", "+447700900123"])
modes, channels = st.sampled_from(DeliveryMode), st.sampled_from([Channel.SMS, Channel.VOICE])


def pick(
    senders: Senders,
    mode: DeliveryMode = DeliveryMode.LIVE,
    channel: Channel = Channel.SMS,
    contact: str = "+18135551234",
) -> str | None:
    return choose(senders, channel=channel, mode=mode, merchant_id=1, contact=contact)


@pytest.mark.parametrize(
    ("number", "needed"),
    [
        (LONG, True),
        ("+15005550006", True),
        ("+17875550123", True),  # Puerto Rico
        ("+19390000123", True),  # Puerto Rico, not a number the library knows
        ("+13405550123", True),  # US Virgin Islands
        ("+16715550123", True),  # Guam
        ("+16845550123", True),  # American Samoa
        ("+16705550123", True),  # Northern Mariana Islands
        ("+12645550123", False),  # Anguilla
        ("+12845550123", False),  # British Virgin Islands
        ("+18095550123", False),  # Dominican Republic
        (TOLL_FREE, False),
        ("+18005550123", False),
        ("+18880000123", False),  # toll-free, not a number the library knows
        ("+14165550123", False),  # Toronto
        ("+14160000123", False),  # Toronto, not a number the library knows
        (LONDON, False),
        ("+4412345678", False),
    ],
)
def test_only_long_codes_of_the_us_and_its_territories_need_registration(
    number: str, needed: bool
) -> None:
    assert needs_registration(number) is needed


@pytest.mark.parametrize(
    ("number", "type"),
    [
        (LONG, NumberType.LOCAL),
        ("+18130000012", NumberType.LOCAL),  # not a number the library knows, perhaps a new one
        ("+17875550123", NumberType.LOCAL),  # Puerto Rico
        ("+19390000123", NumberType.LOCAL),
        ("+13405550123", NumberType.LOCAL),  # US Virgin Islands
        ("+16715550123", NumberType.LOCAL),  # Guam
        ("+16845550123", NumberType.LOCAL),  # American Samoa
        ("+16705550123", NumberType.LOCAL),  # Northern Mariana Islands
        (TOLL_FREE, NumberType.TOLL_FREE),
        ("+18880000123", NumberType.TOLL_FREE),
        ("+14165550123", None),  # Toronto
        ("+14160000123", None),
        ("+16005550123", None),  # Canada, of no place
        ("+17105550123", None),  # government
        ("+17005550123", None),  # carriers
        ("+15335550123", None),  # following a person
        ("+14565550123", None),  # carriers, inbound international
        ("+19115550123", None),  # emergency
        ("+18095550123", None),  # Dominican Republic
        ("+18765550123", None),  # Jamaica
        ("+19005550123", None),  # premium rate
        ("+15005550006", None),  # personal
        (LONDON, None),
    ],
)
def test_only_local_and_toll_free_numbers_of_the_us_and_its_territories_are_sold(
    number: str, type: NumberType | None
) -> None:
    assert us_type(number) is type


def test_what_was_bought_in_one_mode_is_no_number_in_the_other() -> None:
    live, simulator = DeliveryMode.LIVE, DeliveryMode.SIMULATOR
    for provider, modes in (
        ("simulator", {simulator}),
        ("twilio", {live}),
        (None, {live, simulator}),
    ):
        assert {mode for mode in DeliveryMode if exists(provider, mode)} == modes


@given(own=own_numbers, pool=pools, mode=modes, channel=channels, contact=contacts)
def test_a_merchant_with_numbers_of_its_own_never_uses_the_pool(
    own: list[OwnNumber], pool: list[str], mode: DeliveryMode, channel: Channel, contact: str
) -> None:
    chosen = pick(Senders(own=own, pool=pool), mode, channel, contact)
    if own:
        assert chosen is None or chosen in [number.number for number in own]
    else:
        assert chosen in pool if pool else chosen is None


@given(own=own_numbers.filter(bool), pool=pools, contact=contacts)
def test_in_live_mode_no_text_leaves_a_number_that_is_not_ready(
    own: list[OwnNumber], pool: list[str], contact: str
) -> None:
    chosen = pick(Senders(own=own, pool=pool), contact=contact)
    usable = [n.number for n in own if n.ready]
    assert chosen in usable if usable else chosen is None


@given(own=own_numbers.filter(bool), pool=pools)
def test_in_simulator_mode_some_number_is_always_found(
    own: list[OwnNumber], pool: list[str]
) -> None:
    assert pick(Senders(own=own, pool=pool), DeliveryMode.SIMULATOR) is not None


@given(own=own_numbers.filter(bool), contact=contacts)
def test_calls_need_no_registration(own: list[OwnNumber], contact: str) -> None:
    assert all(may_send(n, channel=Channel.VOICE, mode=DeliveryMode.LIVE) for n in own)
    assert pick(Senders(own=own, pool=[]), channel=Channel.VOICE, contact=contact) is not None


@given(own=own_numbers, pool=pools, mode=modes, contact=contacts, data=st.data())
def test_a_recipient_hears_from_the_same_number_while_it_may_be_used(
    own: list[OwnNumber], pool: list[str], mode: DeliveryMode, contact: str, data: st.DataObject
) -> None:
    first = pick(Senders(own=own, pool=pool), mode, contact=contact)
    if first is None:
        return
    another = data.draw(numbers.filter(lambda n: n not in pool))
    more = [*own, OwnNumber(number=another, ready=True)] if own else []
    if any(n.number == another for n in own):
        return
    mixed = data.draw(st.permutations(more)), data.draw(st.permutations([*pool, another]))
    grown = Senders(own=mixed[0], pool=mixed[1], last=first)
    if not own or any(n.number == first and n.ready for n in own):
        assert pick(grown, mode, contact=contact) == first


@given(pool=pools.filter(lambda pool: len(pool) > 1), contact=contacts)
def test_a_number_less_moves_only_those_it_was_for(pool: list[str], contact: str) -> None:
    chosen = pick(Senders(own=[], pool=pool), contact=contact)
    for gone in pool:
        left = Senders(own=[], pool=[number for number in pool if number != gone])
        if gone != chosen:
            assert pick(left, contact=contact) == chosen


def test_recipients_are_spread_over_a_pool() -> None:
    pool = [f"+1212555{n:04}" for n in range(5)]
    chosen = [pick(Senders(own=[], pool=pool), contact=f"+1813555{n:04}") for n in range(1000)]
    assert all(150 < chosen.count(number) < 250 for number in pool)


def test_the_last_used_number_is_not_reused_after_its_release() -> None:
    senders = Senders(own=[OwnNumber(number=LONG, ready=True)], pool=[], last=LONDON)
    assert pick(senders) == LONG


@pytest.mark.parametrize(
    ("use_case", "entity", "rate"),
    [
        (UseCase.MARKETING, EntityType.PRIVATE_PROFIT, "4.000"),
        (UseCase.LOW_VOLUME, EntityType.PRIVATE_PROFIT, "1.250"),
        (UseCase.POLITICAL, EntityType.NON_PROFIT, "75.000"),
        (UseCase.SOLE_PROPRIETOR, EntityType.SOLE_PROPRIETOR, "0.250"),
        (UseCase.MARKETING, EntityType.SOLE_PROPRIETOR, "0.250"),
    ],
)
def test_a_campaign_sends_as_fast_as_its_class(
    use_case: UseCase, entity: EntityType, rate: str
) -> None:
    assert by_default(use_case, entity) == Decimal(rate)


@pytest.mark.parametrize("use_case", list(UseCase))
def test_every_use_case_has_a_rate(use_case: UseCase) -> None:
    assert by_default(use_case) > 0


def test_an_unknown_class_has_none() -> None:
    assert of_class("?") is None
    assert of_class(" a ") == Decimal(75)


@given(thousandths=st.integers(1, 10**8), numbers=st.integers(0, 500))
def test_the_numbers_of_a_campaign_have_its_limit_together(thousandths: int, numbers: int) -> None:
    rate = Decimal(thousandths) / 1000
    parts = shares(rate, numbers)
    assert len(parts) == numbers
    assert all(part >= Decimal("0.001") and part == round(part, 3) for part in parts)
    if 0 < numbers <= thousandths:
        assert sum(parts) == rate
