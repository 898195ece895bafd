"""Where providers report what became of a message. Not part of the public API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from api.services.receipts import Receipts

router = APIRouter(prefix="/webhooks", include_in_schema=False)


def _receipts(request: Request) -> Receipts:
    receipts: Receipts = request.app.state.receipts
    return receipts


@router.post("/{provider}/{reference}", status_code=204)
async def take_report(
    provider: str,
    reference: str,
    request: Request,
    receipts: Annotated[Receipts, Depends(_receipts)],
) -> None:
    """Store one report about an attempt."""
    await receipts.take(provider, reference, request.headers, await request.body())
