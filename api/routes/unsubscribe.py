"""Where the unsubscribe link of a mail leads. Not part of the public API, and no key is asked for.

Mail programs POST by themselves when their user says so (RFC 8058); a person who follows the link
sees a button. A GET changes nothing: scanners follow every link of a mail.
"""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import UnsubscribeActions
from api.portal import unsubscribe_page

router = APIRouter(prefix="/unsubscribe", include_in_schema=False)


@router.get("/{ticket}")
async def ask(ticket: str, actions: UnsubscribeActions) -> HTMLResponse:
    """Ask whether it is meant."""
    page = unsubscribe_page.question(await actions.name(ticket))
    return HTMLResponse(page, headers=unsubscribe_page.HEADERS)


@router.post("/{ticket}")
async def unsubscribe(ticket: str, actions: UnsubscribeActions) -> HTMLResponse:
    """Opt out; whatever the body says, and as often as it is asked."""
    page = unsubscribe_page.done(await actions.opt_out(ticket))
    return HTMLResponse(page, headers=unsubscribe_page.HEADERS)
