"""Normalizes an inbound text for storage and comparison."""

from typing import Final

from models.errors import InvalidPhoneNumber, NotFound
from models.rules.consent.reported_numbers import reported_e164
from providers.ports.messages import InboundText

_LONGEST_EVENT_ID: Final = 128


def readable_text(text: InboundText) -> InboundText:
    """Normalize a text for storage and comparison.

    Raises:
        NotFound: its destination is not a phone number.
        ValueError: it has no usable id.
    """
    if not 0 < len(text.event_id) <= _LONGEST_EVENT_ID or not text.event_id.isprintable():
        raise ValueError("the event has no usable id")
    return InboundText(
        event_id=text.event_id,
        sender=_storable(text.sender),
        number=_ours(text.number),
        body=_storable(text.body),
        sent_at=text.sent_at,
        answered=text.answered,
        keyword=text.keyword,
    )


def _storable(text: str) -> str:
    """Replace what the database cannot hold: NUL and unpaired surrogates."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def number_of(sender: str) -> str:
    """Return the number to answer; empty if the sender is not one (a short code, a name,
    withheld).
    """
    try:
        return reported_e164(sender)
    except InvalidPhoneNumber:
        return ""


def _ours(given: str) -> str:
    try:
        return reported_e164(given)
    except InvalidPhoneNumber as error:
        raise NotFound from error
