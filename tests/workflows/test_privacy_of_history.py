"""Histories contain ids, enum values and times, but no personal data."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from models.rules.waits import PaymentWaits, SendWaits
from tests.fakes import (
    ABSENT,
    ACCEPTED,
    AMBIGUOUS,
    FAILED,
    LATER,
    NOT_YET,
    TOLD,
    UNCERTAIN,
    fake,
)
from tests.workflows.harness import HarnessFactory
from workflows import steps
from workflows.billing.types import PaymentProgress, UpgradeInput, UpgradeStep
from workflows.messages.batches.types import (
    AcceptLinesResult,
    AcceptLinesStep,
    BatchInput,
    CancelMembersResult,
    CancelMembersStep,
)
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    PollResult,
    PollStep,
    ReconcileResult,
    ReconcileStep,
    SendInput,
    SettleResult,
    SettleStep,
)

_KNOWN = {
    field.name
    for kind in (
        SendInput,
        SendWaits,
        DispatchStep,
        DispatchResult,
        ReconcileStep,
        ReconcileResult,
        PollStep,
        PollResult,
        SettleStep,
        SettleResult,
        *(UpgradeInput, PaymentWaits, UpgradeStep, PaymentProgress),
        *(BatchInput, AcceptLinesStep, AcceptLinesResult),
        *(CancelMembersStep, CancelMembersResult),
    )
    for field in fields(kind)
}
_ALLOWED = {
    *("tenant_id", "merchant_id", "message_id", "public_id", "waits"),
    *("report_wait", "poll_first", "poll_longest", "reconcile_every", "reconcile_horizon"),
    *("verdict", "provider", "attempt", "until", "error_code", "reported", "budget"),
    *("finding", "ending", "status", "completed", "moved", "settled"),
    *("payment_id", "accepted_at", "next_action", "retry_after"),
    *("news_wait", "retry_every", "horizon", "mismatch_wait", "refund_wait"),
    *("batch_id", "accepted", "refused", "decided", "canceled", "wait", "more"),
}
_WORD = re.compile(r"[A-Z_]+|[a-z-]+")
_TIME = re.compile(r"-?P[0-9DTHMS.]+|\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)")


def test_the_fields_that_enter_history_are_those_of_this_list() -> None:
    assert _KNOWN == _ALLOWED


async def test_a_whole_history_has_ids_enum_values_and_times_only(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, LATER, AMBIGUOUS, ACCEPTED)
    reconcile, _ = fake(steps.reconcile, UNCERTAIN, ABSENT)
    poll, _ = fake(steps.poll, TOLD, TOLD)
    settle, _ = fake(steps.settle, NOT_YET, FAILED)
    async with harness(dispatch, reconcile, poll, settle) as send:
        handle = await send.start()
        await send.end_of(handle)
        history = json.loads((await handle.fetch_history()).to_json())
    values = [value for payload in _payloads(history) for value in _values(payload)]
    assert len(values) > 20
    assert [value for value in values if not _is_id_word_or_time(*value)] == []


def _payloads(part: Any) -> Iterator[Any]:
    """Yield inputs and results.

    `userMetadata` has the fixed summaries of policies.py, and a marker's `data` has Temporal's own
    record of a local activity.
    """
    if isinstance(part, list):
        for item in part:
            yield from _payloads(item)
    elif isinstance(part, dict) and {"metadata", "data"} <= part.keys():
        yield json.loads(b64decode(part["data"]))
    elif isinstance(part, dict):
        notes = "data" if "result" in part else None
        for key, value in part.items():
            if key not in ("userMetadata", notes):
                yield from _payloads(value)


def _values(payload: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(payload, dict):
        for key, value in payload.items():
            yield from _values(value, key)
    elif isinstance(payload, list):
        for value in payload:
            yield from _values(value, name)
    else:
        yield name, payload


def _is_id_word_or_time(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return bool(_WORD.fullmatch(value) or _TIME.fullmatch(value))
    return value is None or isinstance(value, int)
