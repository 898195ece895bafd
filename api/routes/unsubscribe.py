"""Routes of unsubscribe links. Not part of the public API; the ticket is the only credential.

Mail programs POST when the user clicks unsubscribe (RFC 8058); a person who opens the link sees a
button. GET changes nothing, because scanners follow every link of an e-mail.
"""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import UnsubscribeActions
from api.portal import unsubscribe_page

router = APIRouter(prefix="/unsubscribe", include_in_schema=False)


@router.get("/{ticket}")
async def ask(ticket: str, actions: UnsubscribeActions) -> HTMLResponse:
    """Return the confirmation page."""
    page = unsubscribe_page.question(await actions.name(ticket))
    return HTMLResponse(page, headers=unsubscribe_page.HEADERS)


@router.post("/{ticket}")
async def unsubscribe(ticket: str, actions: UnsubscribeActions) -> HTMLResponse:
    """Opt out. Idempotent; the request body is ignored."""
    page = unsubscribe_page.done(await actions.opt_out(ticket))
    return HTMLResponse(page, headers=unsubscribe_page.HEADERS)
