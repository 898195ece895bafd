"""Routes of batches: send, read and cancel."""

from typing import Any, Final

from fastapi import Request, Response

from api.deps import (
    Authenticated,
    BatchActions,
    BatchCancelActions,
    BatchPath,
    BatchReads,
    Idempotent,
    Paged,
    UploadedBatch,
)
from api.http import problems
from api.http.bodies.body_size import BATCH, streamed_body_up_to
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.batches import BatchLineView, BatchView
from models.batch_errors import BatchNotFound, TooManyBatches
from models.errors import (
    IdempotencyKeyReused,
    MerchantInactive,
    MerchantNotFound,
    NotCancelable,
)

router = public_router("/messages/batch", tag="Messages")

_SEND = (*problems.WRITE, TooManyBatches, MerchantInactive, MerchantNotFound)
_CANCEL = (*problems.ANY, IdempotencyKeyReused, BatchNotFound, NotCancelable)

# NDJSON is described in words: generators of clients leave out an operation with a media type that
# they do not know.
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/V1BatchSendRequest"}},
        },
    }
}


@router.post("", summary="Send a batch", responses=problems.of(*_SEND), openapi_extra=_BODY)
@streamed_body_up_to(BATCH)
async def send_batch(
    batch: UploadedBatch,
    caller: Authenticated,
    storing: BatchActions,
    request: Request,
    response: Response,
) -> BatchView:
    """Store up to 10,000 messages of one merchant on one channel, and send them asynchronously.

    The body is JSON, or NDJSON (`Content-Type: application/x-ndjson`): one object per line, first
    `merchantId` and `channel`, then each message; empty lines are allowed at the end only. Its
    structure is checked before the response; each line is then accepted or refused, as a single
    send would be, and a refused line refuses nothing else. A message without a `key` of its
    own has the Idempotency-Key of the batch followed by `/` and its line. A retry with the same
    Idempotency-Key returns the same batch with its current state, whether sent as JSON or as
    NDJSON.

    A batch counts as one request for the rate limits. While two batches of the tenant are
    ACCEPTING, another one is refused with 429 `TOO_MANY_BATCHES`.
    """
    outcome = await storing.accept(caller, batch.received, batch.idempotency)
    return answer_with(outcome, request, response)


@router.get(
    "/{batchId}",
    summary="Retrieve a batch",
    responses=problems.of(*problems.ANY, BatchNotFound),
)
async def get_batch(batch_id: BatchPath, caller: Authenticated, batches: BatchReads) -> BatchView:
    """Retrieve a batch with its status and the number of its messages by status."""
    return await batches.get(caller, batch_id)


@router.get(
    "/{batchId}/messages",
    summary="List the lines of a batch",
    responses=problems.of(*problems.ANY, BatchNotFound),
)
async def list_batch_lines(
    batch_id: BatchPath, caller: Authenticated, page: Paged, batches: BatchReads, response: Response
) -> list[BatchLineView]:
    """List the lines of a batch in their order, each with its message or the reason of refusal.

    `GET /messages?batchId=` lists the messages with their status.
    """
    return page.show(await batches.list_lines(caller, batch_id, page), response)


@router.post("/{batchId}/cancel", summary="Cancel a batch", responses=problems.of(*_CANCEL))
async def cancel_batch(
    batch_id: BatchPath,
    caller: Authenticated,
    key: Idempotent,
    canceling: BatchCancelActions,
    request: Request,
    response: Response,
) -> BatchView:
    """Cancel a batch: refuse the lines that are not decided, and cancel the messages that wait.

    Messages that are being sent or have ended stay as they are. The request has no body and is
    idempotent. A batch whose messages have all ended is refused with 409 `NOT_CANCELABLE`.
    """
    return answer_with(await canceling.cancel(caller, batch_id, key), request, response)
