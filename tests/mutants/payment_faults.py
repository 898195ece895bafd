"""Faults in charges, grants and refunds."""

from typing import Final

from tests.mutants.fault import Fault

_PAYMENTS: Final = "models/queries/billing/upgrades/payments.py"
_ROWS: Final = "models/queries/billing/upgrades/payment_rows.py"
_PAYING: Final = "activities/billing/payments.py"

_PAY: Final = (
    "tests/activities/billing/test_payments.py",
    "tests/activities/billing/test_payment_reports.py",
)
_GRANTING: Final = ("tests/activities/billing/test_granting.py",)
_PAY_RULES: Final = ("tests/unit/billing/test_payment_rules.py",)
_NEWS: Final = ("tests/api/billing/test_payment_webhooks.py",)

FAULTS: Final = (
    Fault(
        "credits are granted twice",
        _PAYMENTS,
        "_GRANT",
        "AND fulfilled_at IS NULL AND refund_due_at IS NULL",
        "AND refund_due_at IS NULL",
        _GRANTING,
    ),
    Fault(
        "credits are granted and the money is given back",
        _PAYMENTS,
        "_GRANT",
        "AND fulfilled_at IS NULL AND refund_due_at IS NULL",
        "AND fulfilled_at IS NULL",
        _GRANTING,
    ),
    Fault(
        "credits are granted for money that was not taken",
        _PAYMENTS,
        "_GRANT",
        "AND status = 'SUCCEEDED'\n",
        "\n",
        _GRANTING,
    ),
    Fault(
        "the deadline of a charge moves back",
        _PAYMENTS,
        "claim_charge",
        "max(deadline, payment.deadline or deadline)",
        "deadline",
        _GRANTING,
    ),
    Fault(
        "a charge of another amount is taken for ours",
        _ROWS,
        "PaymentRow.is_for",
        "(amount_cents, currency) == (self.amount_cents, self.currency)",
        "currency == self.currency",
        (*_PAY, *_NEWS),
    ),
    Fault(
        "a charge is asked for again without a look",
        _PAYING,
        "Payments.charge",
        "if payment.deadline is not None:",
        "if payment.deadline is None:",
        _PAY,
    ),
    Fault(
        "a charge is thought absent while its request may be on its way",
        _PAYING,
        "Payments.cancel_charge",
        "asked_at >= payment.deadline + gateway.absence_window",
        "asked_at >= payment.deadline - gateway.absence_window",
        _PAY,
    ),
    Fault(
        "an inactive merchant gets credits",
        _PAYING,
        "_no_credits_because",
        "if payment.merchant_active",
        "if True",
        _PAY,
    ),
    Fault(
        "money that is taken too late is kept",
        "models/rules/billing/payments.py",
        "change_by",
        "return Change(status=S.FAILED, taken=True, refund_due=True)",
        "return None",
        _PAY_RULES,
    ),
    Fault(
        "a late decline takes money back that was taken",
        "models/rules/billing/payments.py",
        "change_by",
        "if facts.status not in _OPEN or facts.mismatched:",
        "if facts.status not in {*_OPEN, S.SUCCEEDED} or facts.mismatched:",
        _PAY_RULES,
    ),
    Fault(
        "a charge of another payment is taken for this one's",
        "models/queries/billing/upgrades/payment_events.py",
        "_NAMED",
        "p.public_id = :payment",
        "p.public_id <> -:payment",
        _NEWS,
    ),
    Fault(
        "reports of one gateway are about another's charge",
        "models/queries/billing/upgrades/payment_events.py",
        "take_event",
        "payment.gateway != gateway",
        "False",
        _NEWS,
    ),
    Fault(
        "reports that were read before take effect again",
        "models/queries/billing/upgrades/payment_events.py",
        "take_event",
        "changed = stored is not None and",
        "changed =",
        _GRANTING,
    ),
)
