"""Routes of webhook endpoints of integrators and their deliveries."""

from typing import Annotated

from fastapi import Path, Query, Request, Response

from api.deps import (
    Authenticated,
    Idempotent,
    Paged,
    WebhookActions,
    WebhookDeliveryActions,
)
from api.http import problems
from api.http.filters import OneMerchant
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.webhooks import (
    V1WebhookRedeliverRequest,
    V1WebhookRequest,
    V1WebhookUpdateRequest,
    WebhookDeliveryView,
    WebhookRedeliveryView,
    WebhookSecretView,
    WebhookView,
)
from models.enums import WebhookDeliveryStatus
from models.errors import IdempotencyKeyReused, InvalidDateRange, MerchantNotFound
from models.webhook_errors import (
    TooManyWebhooks,
    WebhookDeliveryNotFound,
    WebhookNotActive,
    WebhookNotFound,
)

router = public_router("/webhooks", tag="Webhooks")

_WITHOUT_BODY = (*problems.ANY, IdempotencyKeyReused, WebhookNotFound)

WebhookPath = Annotated[
    str,
    Path(
        alias="webhookId",
        description="Identifier of the webhook endpoint.",
        examples=["1745120938866531"],
    ),
]
DeliveryPath = Annotated[
    str,
    Path(
        alias="deliveryId",
        description="Identifier of the delivery.",
        examples=["3364264052715392"],
    ),
]


@router.post(
    "",
    summary="Create a webhook endpoint",
    responses=problems.of(*problems.WRITE, MerchantNotFound, TooManyWebhooks),
    response_model_exclude_unset=True,
)
async def create_webhook(
    order: V1WebhookRequest,
    caller: Authenticated,
    key: Idempotent,
    webhooks: WebhookActions,
    request: Request,
    response: Response,
) -> WebhookSecretView:
    """Create an endpoint that events are posted to. Its secret is in this response only.

    Events are posted as `{id, type, createdAt, data}` with the headers of Standard Webhooks; verify
    them with the secret. A merchant-scoped key creates endpoints of its merchant. The tenant itself
    and each merchant may have 50; one more is 409 `TOO_MANY_WEBHOOKS`. A retry with the same
    Idempotency-Key returns the same endpoint without its secret; if the secret was lost, rotate it.
    """
    return answer_with(await webhooks.create(caller, order, key), request, response)


@router.get(
    "",
    summary="List webhook endpoints",
    responses=problems.of(*problems.ANY, MerchantNotFound),
)
async def list_webhooks(
    caller: Authenticated,
    page: Paged,
    webhooks: WebhookActions,
    response: Response,
    merchant_id: OneMerchant = None,
) -> list[WebhookView]:
    """List the webhook endpoints of the tenant and its merchants, newest first, without secrets.

    A merchant-scoped key sees the endpoints of its merchant only.
    """
    return page.show(await webhooks.list(caller, merchant_id, page), response)


@router.get(
    "/{webhookId}",
    summary="Retrieve a webhook endpoint",
    responses=problems.of(*problems.ANY, WebhookNotFound),
)
async def get_webhook(
    webhook_id: WebhookPath, caller: Authenticated, webhooks: WebhookActions
) -> WebhookView:
    """Retrieve a webhook endpoint, without its secret."""
    return await webhooks.get(caller, webhook_id)


@router.post(
    "/{webhookId}",
    summary="Update a webhook endpoint",
    responses=problems.of(*problems.WRITE, WebhookNotFound),
)
async def update_webhook(
    webhook_id: WebhookPath,
    order: V1WebhookUpdateRequest,
    caller: Authenticated,
    key: Idempotent,
    webhooks: WebhookActions,
    request: Request,
    response: Response,
) -> WebhookView:
    """Update a webhook endpoint. Absent fields are unchanged.

    `active: true` also enables an endpoint that was disabled automatically, and resolves its alert.
    Events that occurred while it was inactive are FAILED; request their redelivery. With
    `active: false`, pending deliveries become FAILED within seconds.
    """
    return answer_with(await webhooks.update(caller, webhook_id, order, key), request, response)


@router.delete(
    "/{webhookId}",
    summary="Delete a webhook endpoint",
    status_code=204,
    responses=problems.of(*_WITHOUT_BODY),
)
async def delete_webhook(
    webhook_id: WebhookPath,
    caller: Authenticated,
    key: Idempotent,
    webhooks: WebhookActions,
    request: Request,
    response: Response,
) -> None:
    """Delete a webhook endpoint with its deliveries. A request that is open is completed.

    An endpoint that was deleted before is 404 `WEBHOOK_NOT_FOUND`; a retry with the same
    Idempotency-Key is 204 again.
    """
    return answer_with(await webhooks.delete(caller, webhook_id, key), request, response)


@router.post(
    "/{webhookId}/rotate-secret",
    summary="Rotate the secret of a webhook endpoint",
    responses=problems.of(*_WITHOUT_BODY),
    response_model_exclude_unset=True,
)
async def rotate_webhook_secret(
    webhook_id: WebhookPath,
    caller: Authenticated,
    key: Idempotent,
    webhooks: WebhookActions,
    request: Request,
    response: Response,
) -> WebhookSecretView:
    """Replace the secret of a webhook endpoint. The new one is in this response only.

    For 24 hours deliveries have two signatures, with the new and with the previous secret. If the
    secret is rotated again within that time, the older one ends: only the two newest sign. The
    request has no body. A retry with the same Idempotency-Key does not rotate again, and its
    response has no secret.
    """
    return answer_with(await webhooks.rotate(caller, webhook_id, key), request, response)


@router.post(
    "/{webhookId}/test",
    summary="Send a test event",
    responses=problems.of(*_WITHOUT_BODY, WebhookNotActive),
)
async def test_webhook(
    webhook_id: WebhookPath,
    caller: Authenticated,
    key: Idempotent,
    deliveries: WebhookDeliveryActions,
    request: Request,
    response: Response,
) -> WebhookDeliveryView:
    """Send an event of the type `webhook.test` to this endpoint only.

    It is sent asynchronously, whatever `events` contains, signed and retried like any other. The
    request has no body. A retry with the same Idempotency-Key returns the current state of the same
    delivery. An inactive endpoint is 409 `WEBHOOK_NOT_ACTIVE`.
    """
    return answer_with(await deliveries.test(caller, webhook_id, key), request, response)


@router.get(
    "/{webhookId}/deliveries",
    summary="List the deliveries of a webhook endpoint",
    responses=problems.of(*problems.ANY, WebhookNotFound),
)
async def list_webhook_deliveries(
    webhook_id: WebhookPath,
    caller: Authenticated,
    page: Paged,
    deliveries: WebhookDeliveryActions,
    response: Response,
    status: Annotated[
        WebhookDeliveryStatus | None,
        Query(description="Return deliveries with this status only.", examples=["FAILED"]),
    ] = None,
) -> list[WebhookDeliveryView]:
    """List the events of the last 30 days for this endpoint with their last attempts, newest first.

    Events that occurred while the endpoint was inactive are FAILED with `ENDPOINT_NOT_ACTIVE`.
    """
    return page.show(await deliveries.list(caller, webhook_id, status, page), response)


@router.post(
    "/{webhookId}/deliveries/{deliveryId}/redeliver",
    summary="Send a delivery again",
    responses=problems.of(*_WITHOUT_BODY, WebhookDeliveryNotFound, WebhookNotActive),
)
async def redeliver_webhook_delivery(
    webhook_id: WebhookPath,
    delivery_id: DeliveryPath,
    caller: Authenticated,
    key: Idempotent,
    deliveries: WebhookDeliveryActions,
    request: Request,
    response: Response,
) -> WebhookDeliveryView:
    """Send an event again, whatever became of it; a delivery that waits for a retry is sent now.

    It is PENDING with 0 attempts, and sent asynchronously with the same `webhook-id`, by which your
    endpoint recognizes a repetition. If an earlier event of the same message is pending, it waits
    for that one. The request has no body. A retry with the same Idempotency-Key returns the current
    state and sends nothing. An inactive endpoint is 409 `WEBHOOK_NOT_ACTIVE`.
    """
    answer = await deliveries.redeliver(caller, webhook_id, delivery_id, key)
    return answer_with(answer, request, response)


@router.post(
    "/{webhookId}/redeliver",
    summary="Send a range of deliveries again",
    responses=problems.of(*problems.WRITE, InvalidDateRange, WebhookNotFound, WebhookNotActive),
)
async def redeliver_webhook_deliveries(
    webhook_id: WebhookPath,
    order: V1WebhookRedeliverRequest,
    caller: Authenticated,
    key: Idempotent,
    deliveries: WebhookDeliveryActions,
    request: Request,
    response: Response,
) -> WebhookRedeliveryView:
    """Send the events of a range of time again, the oldest first, whatever became of them.

    Deliveries that are PENDING are not changed or counted. Those of one message are sent in their
    order. One request takes 10,000 deliveries; if the range has more, `nextSince` says where the
    next request goes on. Your endpoint recognizes repetitions by `webhook-id`, which stays the
    same. An inactive endpoint is 409 `WEBHOOK_NOT_ACTIVE`.
    """
    answer = await deliveries.redeliver_range(caller, webhook_id, order, key)
    return answer_with(answer, request, response)
