"""Webhook of payment gateways. Not part of the public API."""

from fastapi import APIRouter

from api.deps import PaymentWebhookActions, ReceivedWebhook
from api.http.bodies.body_size import WEBHOOK, body_up_to

router = APIRouter(prefix="/webhooks", include_in_schema=False)


@router.post("/{gateway}/payments/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_payment_report(
    gateway: str, reference: str, received: ReceivedWebhook, webhooks: PaymentWebhookActions
) -> None:
    """Receive a gateway's reports about one charge."""
    await webhooks.take(gateway, received, reference)


@router.post("/{gateway}/payments", status_code=204)
@body_up_to(WEBHOOK)
async def take_payment_reports(
    gateway: str, received: ReceivedWebhook, webhooks: PaymentWebhookActions
) -> None:
    """Receive the reports of a gateway that posts all of them to one address."""
    await webhooks.take(gateway, received)
