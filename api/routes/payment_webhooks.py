"""Webhook of payment gateways. Not part of the public API."""

from fastapi import APIRouter, Request

from api.deps import PaymentWebhookActions
from api.http.bodies.body_size import WEBHOOK, body_up_to

router = APIRouter(prefix="/webhooks", include_in_schema=False)


@router.post("/{gateway}/payments/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_payment_report(
    gateway: str, reference: str, request: Request, webhooks: PaymentWebhookActions
) -> None:
    """Receive a gateway's report about one charge."""
    await webhooks.take(gateway, reference, request.headers, await request.body())
