"""Reads the request of a batch: its Idempotency-Key, and its body while it arrives."""

from dataclasses import dataclass, replace
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from api.http.auth import Caller
from api.http.idempotency import KEY_HEADER, IdempotentRequest, read_key
from api.http.public import UsedKeys
from api.http.trace import template_of
from api.services.messages.batches.receive import ReceivedBatch, receive_batch
from models.errors import BadRequest, MalformedJson
from models.rules.consent.contact_keys import ContactKeys

_INVALID: Final = (RequestValidationError, BadRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """A batch, and what identifies its request."""

    received: ReceivedBatch
    idempotency: IdempotentRequest


async def read_batch_request(
    request: Request, caller: Caller, contact_keys: ContactKeys, used_keys: UsedKeys
) -> BatchRequest:
    """Read a batch that is being received.

    Raises:
        UnsupportedMediaType, PayloadTooLarge: see `receive_batch`.
        BadRequest, RequestValidationError: it is not a batch.
        IdempotencyKeyReused: it is not a batch, and its key belongs to one.
    """
    identity = IdempotentRequest(
        route=f"{request.method} {template_of(request.scope)}",
        scope="" if caller.merchant_public_id is None else str(caller.merchant_public_id),
        key=read_key(request.headers.getlist(KEY_HEADER)),
        fingerprint="",  # that of no batch, until the body is read
    )
    content_type = request.headers.get("content-type", "")
    try:
        received = await receive_batch(request.stream(), content_type, contact_keys)
    except MalformedJson:
        raise
    except _INVALID:
        await used_keys.check_unused(caller, identity)
        raise
    return BatchRequest(
        received=received, idempotency=replace(identity, fingerprint=received.fingerprint)
    )
