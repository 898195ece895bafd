"""Webhooks of providers: delivery reports, inbound texts and registry decisions.

Not part of the public API.
"""

from fastapi import APIRouter

from api.deps import InboxActions, ReceiptActions, ReceivedWebhook, RegistrationWebhookActions
from api.http.bodies.body_size import WEBHOOK, body_up_to

router = APIRouter(prefix="/webhooks", include_in_schema=False)


# Declared before the route of reports, which would match them too; no reference is `inbound` or
# `events`.
@router.post("/{account}/inbound", status_code=204)
@body_up_to(WEBHOOK)
async def take_inbound(account: str, received: ReceivedWebhook, inbox: InboxActions) -> None:
    """Store an inbound text and process its keyword."""
    await inbox.take(account, received)


@router.post("/{account}/events", status_code=204)
@body_up_to(WEBHOOK)
async def take_events(account: str, received: ReceivedWebhook, receipts: ReceiptActions) -> None:
    """Store the reports of a vendor that posts all of them to one address."""
    await receipts.take(account, received)


@router.post("/{account}/registrations/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_registration_event(
    account: str, reference: str, received: ReceivedWebhook, events: RegistrationWebhookActions
) -> None:
    """Signal the workflow that waits for a registry's decision."""
    await events.take(account, received, reference)


@router.post("/{account}/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_report(
    account: str, reference: str, received: ReceivedWebhook, receipts: ReceiptActions
) -> None:
    """Store the reports about an attempt."""
    await receipts.take(account, received, reference)
