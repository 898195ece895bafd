"""Webhooks of providers: delivery reports, inbound texts and registry decisions.

Not part of the public API.
"""

from fastapi import APIRouter, Request

from api.deps import InboxActions, ReceiptActions, RegistrationWebhookActions
from api.http.bodies.body_size import WEBHOOK, body_up_to

router = APIRouter(prefix="/webhooks", include_in_schema=False)


# Declared before the route of reports, which would match it too; no reference is `inbound`.
@router.post("/{provider}/inbound", status_code=204)
@body_up_to(WEBHOOK)
async def take_inbound(provider: str, request: Request, inbox: InboxActions) -> None:
    """Store an inbound text and process its keyword."""
    await inbox.take(provider, request.headers, await request.body())


@router.post("/{provider}/registrations/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_registration_event(
    provider: str, reference: str, request: Request, events: RegistrationWebhookActions
) -> None:
    """Signal the workflow that waits for a registry's decision."""
    await events.take(provider, reference, request.headers, await request.body())


@router.post("/{provider}/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_report(
    provider: str, reference: str, request: Request, receipts: ReceiptActions
) -> None:
    """Store one report about an attempt."""
    await receipts.take(provider, reference, request.headers, await request.body())
