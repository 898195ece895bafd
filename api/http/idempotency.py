"""One Idempotency-Key, one action: what a key means, and the stored answers of upserts."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response

from api.http.auth import Caller
from api.http.trace import template_of, trace_of
from models.database.limits import KEY_WAIT
from models.errors import IdempotencyKeyReused, ValidationFailed
from models.rules.consent.contact_keys import ContactKeys
from models.session import WriteSession
from models.tables.idempotency import IdempotencyRecord

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")

# A twin is waited for longer than any other lock. Each part reads from the one before, so that they
# are carried out in this order.
_LOCK = text(
    """
    WITH usual AS MATERIALIZED (
        SELECT current_setting('lock_timeout') AS patience
    ), longer AS MATERIALIZED (
        SELECT usual.patience, set_config('lock_timeout', :patience, TRUE) FROM usual
    ), locked AS MATERIALIZED (
        SELECT longer.patience, pg_advisory_xact_lock(hashtextextended(:name, 0)) FROM longer
    )
    SELECT set_config('lock_timeout', locked.patience, TRUE) FROM locked
    """
)

View = TypeVar("View", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentRequest:
    """What makes two requests the same one. Without a key a request is an action of its own."""

    operation: str
    scope: str
    key: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer(Generic[View]):
    """What an upsert answers, and whether it had been answered before."""

    body: View
    replayed: bool


def identify(
    request: Request,
    caller: Caller,
    given: Sequence[str],
    document: Any,
    keys: ContactKeys,
) -> IdempotentRequest:
    """Read the key and take the fingerprint of a request."""
    return IdempotentRequest(
        operation=f"{request.method} {template_of(request.scope)}",
        scope="" if caller.merchant_id is None else str(caller.merchant_id),
        key=read_key(given),
        fingerprint=keys.fingerprint(canonical(request.path_params, document)),
    )


def read_key(given: Sequence[str]) -> str | None:
    """Return the key; the IETF draft writes it as a quoted string, so one pair comes off."""
    if not given:
        return None
    key = given[0].strip(" \t")
    if len(key) >= 2 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if len(given) > 1 or not _VISIBLE.fullmatch(key):
        reason = "must be given once, as 1 to 255 visible ASCII characters"
        raise ValidationFailed(f"{KEY_HEADER} {reason}", ((KEY_HEADER, reason),))
    return key


def canonical(path: dict[str, Any], document: Any) -> str:
    """Return the text that is the same for the same request, however its keys are ordered.

    Taken of what was sent, not of what was understood: a default added to a schema later must not
    make an old request a different one.
    """
    return json.dumps(
        [path, document],
        sort_keys=True,
        separators=(",", ":"),
        default=lambda number: {"number": str(number)},
    )


def answer_with(answer: Answer[View], request: Request, response: Response) -> View:
    """Return what is answered, marked if it had been answered before."""
    mark(request, response, replayed=answer.replayed)
    return answer.body


def mark(request: Request, response: Response, *, replayed: bool) -> None:
    """Say in headers, log and metrics whether this answer is about an earlier action."""
    trace_of(request.scope).replayed = replayed
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"


async def find_answer(
    db: WriteSession, caller: Caller, request: IdempotentRequest
) -> dict[str, Any] | None:
    """Return the stored answer of this key, if any; raise if it belongs to another request.

    Until the transaction ends nobody else passes here with the same key: of two at the same
    instant the second waits and then finds the answer of the first.
    """
    if request.key is None:
        return None
    name = "\x1f".join(
        ("idempotency", str(caller.tenant_id), request.operation, request.scope, request.key)
    )
    await db.execute(_LOCK, {"name": name, "patience": f"{KEY_WAIT.total_seconds()}s"})
    record = await db.get(
        IdempotencyRecord, (caller.tenant_id, request.operation, request.scope, request.key)
    )
    if record is None:
        return None
    if record.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    return record.answer


async def store_answer(
    db: WriteSession,
    caller: Caller,
    request: IdempotentRequest,
    answer: BaseModel,
    now: datetime,
    *,
    without: frozenset[str] = frozenset(),
) -> None:
    """Keep the answer, in the transaction of the action: both happen or neither.

    Fields in `without` are not kept; whoever reads the answer takes them from the equal request.
    """
    if request.key is None:
        return
    db.add(
        IdempotencyRecord(
            tenant_id=caller.tenant_id,
            operation=request.operation,
            scope=request.scope,
            idempotency_key=request.key,
            fingerprint=request.fingerprint,
            answer=answer.model_dump(mode="json", by_alias=True, exclude=set(without)),
            created_at=now,
        )
    )
    await db.flush()
