"""Faults in buying credits: charge, grant, refund, and the words of a gateway."""

from typing import Final

from tests.mutants.fault import Fault

_RULES: Final = "tests/unit/test_payment_rules.py"
_STEPS: Final = "tests/activities/test_payments.py"
_BILLING: Final = "tests/api/test_billing.py"
_HISTORIES: Final = "tests/ledger/test_payment_histories.py"

PAYING: Final = (
    Fault(
        file="models/rules/payments.py",
        place="duty_of",
        old="case _ if facts.refund_due:",
        new="case S.FAILED if facts.refund_due:",
        tests=f"{_RULES} {_STEPS}",
    ),
    Fault(
        file="models/rules/payments.py",
        place="change_by",
        old="return Change(status=S.FAILED, taken=True, refund_due=True)",
        new="return None",
        tests=f"{_RULES} {_STEPS}",
    ),
    Fault(
        file="models/rules/payments.py",
        place="change_by",
        old="if facts.status not in _OPEN:\n        return None\n    if state",
        new="if state",
        tests=f"{_RULES} {_STEPS}",
    ),
    Fault(
        file="models/queries/payments.py",
        place="PaymentRow.is_for",
        old="(amount_cents, currency) == (self.amount_cents, self.currency)",
        new="currency == self.currency",
        tests=f"{_STEPS} tests/api/test_payment_webhooks.py",
    ),
    Fault(
        file="models/queries/payments.py",
        place="_GRANT",
        old="AND fulfilled_at IS NULL AND refund_due_at IS NULL",
        new="AND refund_due_at IS NULL",
        tests=f"{_STEPS} {_HISTORIES}",
    ),
    Fault(
        file="models/queries/payments.py",
        place="_GRANT",
        old="available = ca.available + excluded.available",
        new="available = excluded.available",
        tests=f"{_STEPS} {_HISTORIES}",
    ),
    Fault(
        file="models/queries/payments.py",
        place="give_back",
        old="if payment.duty is not Duty.REFUND:",
        new="if False:",
        tests=f"{_STEPS} {_HISTORIES}",
    ),
    Fault(
        file="models/queries/payment_events.py",
        place="take_event",
        old="or payment.gateway != gateway or payment.reference != reference",
        new="or payment.gateway != gateway",
        tests=f"{_STEPS} tests/api/test_payment_webhooks.py",
    ),
    Fault(
        file="models/queries/payment_events.py",
        place="take_event",
        old="if payment is None or payment.gateway != gateway",
        new="if payment is None",
        tests=f"{_STEPS} tests/api/test_payment_webhooks.py",
    ),
    Fault(
        file="activities/payments.py",
        place="Payments.charge",
        old="if payment.deadline is not None:",
        new="if False:",
        tests=_STEPS,
    ),
    Fault(
        file="activities/payments.py",
        place="Payments.charge",
        old="if not isinstance(truth, NotFound):",
        new="if isinstance(truth, Charge):",
        tests=_STEPS,
    ),
    Fault(
        file="activities/payments.py",
        place="Payments.call_off",
        old="payment.deadline + gateway.absence_window",
        new="payment.deadline",
        tests=_STEPS,
    ),
    Fault(
        file="activities/payments.py",
        place="Payments.grant",
        old="if payment.merchant_active:",
        new="if True:",
        tests=_STEPS,
    ),
    Fault(
        file="activities/payments.py",
        place="_of",
        old="or payment.is_for(answer.amount_cents, answer.currency)",
        new="or True",
        tests=_STEPS,
    ),
    Fault(
        file="api/services/billing.py",
        place="Billing._by_key",
        old="if found is not None and found.payment.fingerprint != request.fingerprint:",
        new="if False:",
        tests=_BILLING,
    ),
    Fault(
        file="api/services/billing.py",
        place="Billing._by_reference",
        old="_terms(found.payment) != _terms(order)",
        new="False",
        tests=_BILLING,
    ),
    Fault(
        file="api/services/billing.py",
        place="_terms",
        old='"amount_cents": of.amount_cents,',
        new="",
        tests=_BILLING,
    ),
)
