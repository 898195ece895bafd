"""Where providers report what became of a message, and pass on what recipients write.

Not part of the public API.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from api.services.inbound import Inbox
from api.services.receipts import Receipts

router = APIRouter(prefix="/webhooks", include_in_schema=False)


async def _receipts(request: Request) -> Receipts:
    receipts: Receipts = request.app.state.receipts
    return receipts


async def _inbox(request: Request) -> Inbox:
    inbox: Inbox = request.app.state.inbox
    return inbox


# Before the reports: no reference of ours is spelled like this.
@router.post("/{provider}/inbound", status_code=204)
async def take_inbound(
    provider: str, request: Request, inbox: Annotated[Inbox, Depends(_inbox)]
) -> None:
    """Store one text from a recipient and do what it asks for."""
    await inbox.take(provider, request.headers, await request.body())


@router.post("/{provider}/{reference}", status_code=204)
async def take_report(
    provider: str,
    reference: str,
    request: Request,
    receipts: Annotated[Receipts, Depends(_receipts)],
) -> None:
    """Store one report about an attempt."""
    await receipts.take(provider, reference, request.headers, await request.body())
