"""Faults in what look-ups prove, and in what they are asked for."""

from typing import Final

from tests.mutants.fault import Fault

_RECONCILE: Final = "activities/messages/reconcile.py"
_EQUALS: Final = "models/rules/messages/equal_texts.py"

_PRICES: Final = ("tests/activities/system/test_sweep_prices.py",)
_SILENT: Final = ("tests/activities/messages/test_silent_accounts.py",)
_EQUAL_TEXTS: Final = ("tests/activities/messages/test_equal_texts.py",)

FAULTS: Final = (
    Fault(
        "a price is asked for after seven days",
        "models/queries/billing/awaited_prices.py",
        "take_due",
        "None if age > AWAITED else ",
        "",
        _PRICES,
    ),
    Fault(
        "a price is asked for every minute",
        "models/rules/billing/price_asking.py",
        "next_price_gap",
        "max(age, FIRST_PRICE_GAP)",
        "FIRST_PRICE_GAP",
        _PRICES,
    ),
    Fault(
        "a price is awaited after the provider's last word",
        "models/queries/messages/settlement_facts.py",
        "LockedMessage.price",
        " and not price_settled(self.facts, provider)",
        "",
        _PRICES,
    ),
    Fault(
        "a bounce changes nothing of a message that ended as SENT",
        "models/enums.py",
        "CORRECTABLE",
        ", MessageStatus.SENT",
        "",
        _SILENT,
    ),
    Fault(
        "whatever was accepted ends as SENT",
        "models/rules/messages/settlement.py",
        "end_sent",
        " and a.account in silent",
        "",
        _SILENT,
    ),
    Fault(
        "absence is inferred from a list for every tenant",
        _RECONCILE,
        "Reconciliation._absence_is_sure",
        "provider.proof is Proof.LISTING and not attempt.resend_after_window",
        "False",
        _EQUAL_TEXTS,
    ),
    Fault(
        "one listed message proves one of two equal texts",
        _EQUALS,
        "assign",
        "or len(free) < len(ranks)",
        "",
        _EQUAL_TEXTS,
    ),
    Fault(
        "a listed message that has an owner proves another text",
        _EQUALS,
        "assign",
        "if id not in owned",
        "",
        _EQUAL_TEXTS,
    ),
    Fault(
        "lists about equal texts are judged at once",
        "models/queries/messages/equal_texts.py",
        "_LOCK",
        "SELECT pg_advisory_xact_lock(equal_key)",
        "SELECT equal_key",
        _EQUAL_TEXTS,
    ),
    Fault(
        "equal texts are compared within one name of an account only",
        "models/queries/messages/equal_texts.py",
        "_EQUALS",
        "other.provider = mine.provider",
        "other.account = mine.account",
        ("tests/activities/messages/test_shared_lists.py",),
    ),
)
