"""Which sends overload refuses: not those of lighter tenants, and lower priorities first."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import MessageType
from models.rules.messages.admission import (
    FEW,
    LAG_ALLOWED,
    PRIORITIES,
    Load,
    Refusal,
    Waiting,
    refuse_for_lag,
    refuse_for_limit,
    thresholds,
)
from models.rules.messages.priorities import priority_of

TENANTS = range(1, 6)
LAG_OF_ALL = 10 * LAG_ALLOWED
OTP, BULK = MessageType.OTP, MessageType.MARKETING

loads = st.builds(
    lambda waiting: Load(waiting=waiting),
    st.dictionaries(
        st.sampled_from(PRIORITIES),
        st.builds(
            lambda lag, tenants: Waiting(lag=lag, tenants=tenants),
            st.floats(0, 100),
            st.dictionaries(st.sampled_from(TENANTS), st.integers(1, 1000)),
        ),
    ),
)
types = st.sampled_from(MessageType)


def refusal(load: Load, tenant: int, type: MessageType) -> Refusal | None:
    """Decide on a send as the API does."""
    return refuse_for_lag(thresholds(load), waiting_of(load, tenant), type)


def waiting_of(load: Load, tenant: int) -> Mapping[int, int]:
    return {priority: w.tenants.get(tenant, 0) for priority, w in load.waiting.items()}


def behind(lag: float, tenants: Mapping[int, int], type: MessageType = OTP) -> Load:
    """Return a load of one type of message."""
    return Load(waiting={priority_of(type): Waiting(lag=lag, tenants=tenants)})


@given(loads, types)
def test_a_tenant_with_fewer_waiting_is_never_refused_before_one_with_more(
    load: Load, type: MessageType
) -> None:
    for light in TENANTS:
        for heavy in TENANTS:
            lighter, heavier = waiting_of(load, light), waiting_of(load, heavy)
            if all(lighter[p] <= heavier[p] for p in load.waiting) and refusal(load, light, type):
                assert refusal(load, heavy, type)


@given(loads, types, types)
def test_a_send_is_never_refused_before_a_less_urgent_one_of_the_same_tenant(
    load: Load, urgent: MessageType, other: MessageType
) -> None:
    if priority_of(urgent) > priority_of(other):
        urgent, other = other, urgent
    for tenant in TENANTS:
        if refusal(load, tenant, urgent):
            assert refusal(load, tenant, other)


@given(loads, types)
def test_no_send_is_refused_without_lag_at_its_priority(load: Load, type: MessageType) -> None:
    if load.lag(priority_of(type)) <= LAG_ALLOWED:
        assert not any(refusal(load, tenant, type) for tenant in TENANTS)


@given(loads, types)
def test_a_lag_that_is_too_long_refuses_who_has_most_of_it(load: Load, type: MessageType) -> None:
    counts = {tenant: load.of(tenant, priority_of(type)) for tenant in TENANTS}
    most = max(TENANTS, key=lambda tenant: counts[tenant])
    if load.lag(priority_of(type)) > LAG_ALLOWED and counts[most] > FEW:
        assert refusal(load, most, type)


@given(loads)
def test_an_otp_of_a_tenant_with_few_waiting_is_always_taken(load: Load) -> None:
    for tenant in TENANTS:
        if load.of(tenant, priority_of(OTP)) <= FEW:
            assert refusal(load, tenant, OTP) is None


@given(loads, types)
def test_a_tenant_without_waiting_messages_is_always_accepted(
    load: Load, type: MessageType
) -> None:
    assert refusal(load, 99, type) is None


@given(
    st.dictionaries(st.sampled_from(TENANTS), st.integers(1, 1000)),
    st.floats(0, 100),
    st.floats(0, 100),
    types,
)
def test_the_longer_the_lag_the_more_are_refused(
    tenants: dict[int, int], one: float, other: float, type: MessageType
) -> None:
    shorter, longer = sorted((one, other))
    for tenant in TENANTS:
        if refusal(behind(shorter, tenants, type), tenant, type):
            assert refusal(behind(longer, tenants, type), tenant, type)


@given(loads, types)
def test_a_refusal_says_when_to_try_again(load: Load, type: MessageType) -> None:
    for tenant in TENANTS:
        refused = refusal(load, tenant, type)
        assert refused is None or 1 <= refused.retry_after <= 30


@pytest.mark.parametrize(
    ("lag", "refused"),
    [
        (LAG_ALLOWED, set()),
        (LAG_ALLOWED + 0.1, {1}),
        (8, {1}),
        (12, {1, 2}),
        (LAG_OF_ALL, {1, 2, 3}),
        (1000, {1, 2, 3}),
    ],
)
def test_at_first_only_the_heaviest_then_more_and_in_the_end_all(
    lag: float, refused: set[int]
) -> None:
    load = behind(lag, {1: 700, 2: 200, 3: 100}, BULK)
    assert {tenant for tenant in (1, 2, 3, 4) if refusal(load, tenant, BULK)} == refused


def test_equals_are_refused_together() -> None:
    load = behind(3, {1: 500, 2: 500, 3: 20}, BULK)
    assert [bool(refusal(load, tenant, BULK)) for tenant in (1, 2, 3)] == [True, True, False]


def test_waiting_bulk_refuses_no_otp_because_that_overtakes_it() -> None:
    load = behind(500, {1: 1000}, BULK)
    assert refusal(load, 1, BULK) is not None
    assert [refusal(load, 1, type) for type in MessageType if type is not BULK] == [None] * 4


def test_waiting_otps_refuse_bulk_of_the_same_tenant() -> None:
    load = behind(3, {1: 100})
    assert all(refusal(load, 1, type) for type in MessageType)


def test_a_tenant_with_few_waiting_is_refused_by_a_long_lag_but_its_otp_is_not() -> None:
    many = dict.fromkeys(range(1, 200), 5)
    bulk, otp = behind(LAG_OF_ALL, many, BULK), behind(LAG_OF_ALL, many, OTP)
    assert (refusal(behind(3, many, BULK), 7, BULK), refusal(otp, 7, OTP)) == (None, None)
    assert refusal(bulk, 7, BULK) is not None


def test_the_lag_that_is_allowed_can_be_set() -> None:
    load = behind(30, {1: 500})
    assert thresholds(load, allowed=60) == ()
    assert [each.retry_after for each in thresholds(load, allowed=25)] == [5] * len(PRIORITIES)


def test_without_a_sample_no_send_is_refused() -> None:
    assert thresholds(Load()) == ()


@pytest.mark.parametrize(("open_messages", "taken"), [(0, True), (9, True), (10, False)])
def test_at_most_so_many_may_be_open(open_messages: int, taken: bool) -> None:
    assert (refuse_for_limit(open_messages, 10) is None) is taken
