"""Idempotency: parses the key, computes the fingerprint, and stores the answers of upserts."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from api.http.auth import Caller
from api.http.outcomes import Body, Outcome, Replayed
from api.http.trace import template_of, trace_of
from api.schemas.patterns import GIVEN_IDEMPOTENCY_KEY
from models.errors import IdempotencyKeyReused, ValidationFailed
from models.queries.tenants.idempotency_records import (
    RecordKey,
    add_record,
    delete_record,
    find_record,
    lock_record,
)
from models.rules.consent.contact_keys import ContactKeys
from models.session import WriteSession

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

GivenKey = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": 257, "pattern": GIVEN_IDEMPOTENCY_KEY}
    ),
]
"""A key as it is sent, before `unquoted`, which checks it."""

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")


class NoContent(BaseModel):
    """The stored answer of a request that returns nothing, such as a deletion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentRequest:
    """The identity of a request. Without a key every request is an action of its own."""

    route: str
    """Method and template of the path."""
    scope: str
    key: str | None
    fingerprint: str

    def check_same(self, fingerprint: str) -> None:
        """Raise IdempotencyKeyReused if the key was used before with another fingerprint."""
        if fingerprint != self.fingerprint:
            raise IdempotencyKeyReused


def identify(
    request: Request,
    caller: Caller,
    given: Sequence[str],
    document: Any,
    contact_keys: ContactKeys,
) -> IdempotentRequest:
    """Parse the key and compute the fingerprint of a request."""
    return IdempotentRequest(
        route=f"{request.method} {template_of(request.scope)}",
        scope="" if caller.merchant_public_id is None else str(caller.merchant_public_id),
        key=read_key(given),
        fingerprint=contact_keys.fingerprint(canonical(request.path_params, document)),
    )


def read_key(given: Sequence[str]) -> str | None:
    """Return the key; the IETF draft writes it as a quoted string, so one pair of quotes is
    removed.
    """
    if not given:
        return None
    key = unquoted(given[0].strip(" \t"))
    if len(given) > 1 or key is None:
        reason = "must be given once, as 1 to 255 visible ASCII characters"
        raise ValidationFailed(f"{KEY_HEADER} {reason}", ((KEY_HEADER, reason),))
    return key


def unquoted(given: str) -> str | None:
    """Return the key without its quotes; None if it is not 1 to 255 visible ASCII characters."""
    key = given
    if len(key) >= 2 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    return key if _VISIBLE.fullmatch(key) else None


def canonical(path: dict[str, Any], document: Any) -> str:
    """Return a text that is equal for equal requests, whatever the order of their members.

    It is computed from the sent document, not from the validated one: a default that is added to a
    schema later must not change the fingerprint of an earlier request.
    """
    return json.dumps(
        [path, document],
        sort_keys=True,
        separators=(",", ":"),
        default=lambda number: {"number": str(number)},
    )


def answer_with(outcome: Outcome[Body], request: Request, response: Response) -> Body:
    """Return the body of a response; mark a replay in its header, the log and the metrics."""
    replayed = isinstance(outcome, Replayed)
    trace_of(request.scope).replayed = replayed
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return outcome.body


async def find_answer(
    db: WriteSession, caller: Caller, request: IdempotentRequest
) -> dict[str, Any] | None:
    """Return the stored answer of this key, if any; raise if it belongs to another request.

    The key is locked until the transaction ends: of two concurrent requests the second waits and
    then finds the answer of the first.
    """
    record_key = record_key_of(caller, request)
    if record_key is None:
        return None
    await lock_record(db, record_key)
    record = await find_record(db, record_key)
    if record is None:
        return None
    request.check_same(record.fingerprint)
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
    """Store the answer in the transaction of the action.

    Fields in `without` are not stored; the reader takes them from the repeated request.
    """
    record_key = record_key_of(caller, request)
    if record_key is None:
        return
    stored = answer.model_dump(mode="json", by_alias=True, exclude=set(without))
    await add_record(db, record_key, fingerprint=request.fingerprint, answer=stored, now=now)


async def forget_answer(db: WriteSession, caller: Caller, request: IdempotentRequest) -> None:
    """Delete the record of this request's key; the key can then be used for another request."""
    record_key = record_key_of(caller, request)
    if record_key is not None:
        await delete_record(db, record_key, fingerprint=request.fingerprint)


def record_key_of(caller: Caller, request: IdempotentRequest) -> RecordKey | None:
    """Return what identifies a request's record; None for a request without a key."""
    if request.key is None:
        return None
    return RecordKey(
        tenant_id=caller.tenant_id,
        route=request.route,
        scope=request.scope,
        idempotency_key=request.key,
    )
