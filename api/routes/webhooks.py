"""Where providers report what became of a message, and pass on what recipients write.

Not part of the public API.
"""

from fastapi import APIRouter, Request

from api.deps import InboxActions, ReceiptActions, RegistrationWebhookActions
from api.http.bodies.body_size import WEBHOOK, body_up_to

router = APIRouter(prefix="/webhooks", include_in_schema=False)


# Before the reports: no reference of ours is spelled like this.
@router.post("/{provider}/inbound", status_code=204)
@body_up_to(WEBHOOK)
async def take_inbound(provider: str, request: Request, inbox: InboxActions) -> None:
    """Store one text from a recipient and do what it asks for."""
    await inbox.take(provider, request.headers, await request.body())


@router.post("/{provider}/registrations/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_registration_news(
    provider: str, reference: str, request: Request, news: RegistrationWebhookActions
) -> None:
    """Wake whoever waits for a registry's decision."""
    await news.take(provider, reference, request.headers, await request.body())


@router.post("/{provider}/{reference}", status_code=204)
@body_up_to(WEBHOOK)
async def take_report(
    provider: str, reference: str, request: Request, receipts: ReceiptActions
) -> None:
    """Store one report about an attempt."""
    await receipts.take(provider, reference, request.headers, await request.body())
