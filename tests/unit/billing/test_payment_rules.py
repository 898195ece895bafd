"""State machine of a payment: permitted transitions, and events in any order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import ChargeState, PaymentFailure
from models.enums import PaymentStatus as S
from models.rules.billing.currencies import CURRENCIES
from models.rules.billing.payments import (
    STEPS,
    Change,
    PaymentAction,
    PaymentFacts,
    change_by,
    may_step,
    next_action_of,
)
from models.rules.messages.reference import (
    PaymentReference,
    Reference,
    parse_payment_reference,
    parse_reference,
)


def test_the_table_names_every_status_and_ends() -> None:
    assert set(STEPS) == set(S)
    assert STEPS[S.REFUNDED] == frozenset()
    assert not may_step(S.SUCCEEDED, S.FAILED)


@pytest.mark.parametrize(
    ("facts", "next_action"),
    [
        (PaymentFacts(status=S.PENDING), PaymentAction.CHARGE),
        (PaymentFacts(status=S.PENDING, known=True), PaymentAction.AWAIT),
        (PaymentFacts(status=S.REQUIRES_ACTION, known=True), PaymentAction.AWAIT),
        (PaymentFacts(status=S.PENDING, given_up=True), PaymentAction.CANCEL_CHARGE),
        (
            PaymentFacts(status=S.REQUIRES_ACTION, known=True, given_up=True),
            PaymentAction.CANCEL_CHARGE,
        ),
        (PaymentFacts(status=S.SUCCEEDED, known=True), PaymentAction.GRANT),
        (PaymentFacts(status=S.SUCCEEDED, known=True, given_up=True), PaymentAction.GRANT),
        (PaymentFacts(status=S.SUCCEEDED, known=True, fulfilled=True), PaymentAction.NONE),
        (PaymentFacts(status=S.SUCCEEDED, known=True, refund_due=True), PaymentAction.REFUND),
        (PaymentFacts(status=S.FAILED), PaymentAction.NONE),
        (PaymentFacts(status=S.FAILED, refund_due=True), PaymentAction.REFUND),
        (PaymentFacts(status=S.REFUNDED, refund_due=True), PaymentAction.NONE),
    ],
)
def test_the_next_step_of_each_state(facts: PaymentFacts, next_action: PaymentAction) -> None:
    assert next_action_of(facts) is next_action


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (ChargeState.PROCESSING, None),
        (ChargeState.NEEDS_ACTION, Change(status=S.REQUIRES_ACTION)),
        (ChargeState.SUCCEEDED, Change(status=S.SUCCEEDED, taken=True)),
        (ChargeState.DECLINED, Change(status=S.FAILED, failure=PaymentFailure.DECLINED)),
        (ChargeState.FAILED, Change(status=S.FAILED, failure=PaymentFailure.CHARGE_FAILED)),
        (ChargeState.CANCELED, Change(status=S.FAILED, failure=PaymentFailure.CANCELED)),
    ],
)
def test_the_effect_of_each_report_on_a_pending_payment(
    state: ChargeState, change: Change | None
) -> None:
    assert change_by(PaymentFacts(status=S.PENDING), state) == change


def test_a_charge_that_was_called_off_has_expired() -> None:
    change = change_by(PaymentFacts(status=S.PENDING, given_up=True), ChargeState.CANCELED)
    assert change == Change(status=S.FAILED, failure=PaymentFailure.EXPIRED)


@given(
    reported=st.lists(st.sampled_from(ChargeState), max_size=12),
    given_up_after=st.integers(0, 12),
)
def test_no_charge_is_ignored_whatever_the_order_of_reports(
    reported: list[ChargeState], given_up_after: int
) -> None:
    facts = PaymentFacts(status=S.PENDING)
    for turn, state in enumerate(reported):
        facts = replace(facts, known=True, given_up=turn >= given_up_after)
        change = change_by(facts, state)
        if change is None:
            continue
        assert change.status == facts.status or may_step(facts.status, change.status)
        facts = replace(facts, status=change.status, refund_due=change.refund_due)
        assert change_by(facts, state) is None, "twice is once"
    taken = ChargeState.SUCCEEDED in reported
    assert (next_action_of(facts) in (PaymentAction.GRANT, PaymentAction.REFUND)) is taken
    ended = {ChargeState.DECLINED, ChargeState.FAILED, ChargeState.CANCELED} & set(reported)
    if not taken:
        assert (facts.status is S.FAILED) is bool(ended)


@given(st.integers(0, 10**16 - 1), st.integers(0, 10**16 - 1))
def test_a_reference_is_parsed_as_no_other_kind(tenant: int, payment: int) -> None:
    reference = PaymentReference(tenant=tenant, payment=payment)
    assert parse_payment_reference(str(reference)) == reference
    assert parse_reference(str(reference)) is None
    attempt = Reference(tenant=tenant, message=payment, attempt=1)
    assert parse_payment_reference(str(attempt)) is None
    assert parse_payment_reference(reference.refund_key) is None


def test_the_currencies_are_those_people_pay_in() -> None:
    assert {"USD", "EUR", "JPY", "GBP", "MXN", "XOF"} <= CURRENCIES
    assert not {"XXX", "XTS", "XAU", "USN", "usd", "BTC"} & CURRENCIES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
