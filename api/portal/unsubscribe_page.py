"""The two pages of an unsubscribe link; neither shows the recipient's address."""

from html import escape
from pathlib import Path
from string import Template
from typing import Final

_PAGE: Final = Template(Path(__file__).with_name("unsubscribe.html").read_text("utf-8"))
_FORM: Final = '<form method="post"><button type="submit">Unsubscribe</button></form>'

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def question(merchant: str) -> str:
    """Return the confirmation page."""
    text = f"You will get no more e-mail from {merchant}."
    return _fill("Unsubscribe", text, _FORM)


def done(merchant: str) -> str:
    """Return the page after the opt-out."""
    return _fill("You are unsubscribed", f"You will get no more e-mail from {merchant}.", "")


def _fill(title: str, text: str, form: str) -> str:
    return _PAGE.substitute(title=title, text=escape(text), form=form)
