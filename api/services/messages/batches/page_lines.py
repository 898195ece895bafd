"""Chooses the lines of a page, and refuses those that need no further look."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from api.http.idempotency import IdempotentRequest
from api.services.messages.batches.line_reading import SINGLE_SENDS, ReadLine
from api.services.messages.batches.page import PreparedLine
from api.services.messages.new_messages import due_at
from models.enums import Channel, DeliveryMode
from models.errors import HexavoxError
from models.queries.messages.batches.pages import FoundBatch, StoredLine
from models.rules.messages.batches.keys import line_key

_LONGEST_PAGE: Final = 1024 * 1024
"""Characters of the requests of a page, unless its first is longer: all are written at once."""


def short(stored: Sequence[StoredLine]) -> Sequence[StoredLine]:
    """Return the first lines, as many as one callback of the event loop can write."""
    characters = 0
    for place, line in enumerate(stored):
        characters += len(line.request)
        if place and characters > _LONGEST_PAGE:
            return stored[:place]
    return stored


def timed(line: ReadLine, now: datetime) -> tuple[ReadLine, datetime]:
    """Return the line and when it is to be sent; it is refused if that is too far ahead."""
    if line.draft is None:
        return line, now
    try:
        return line, due_at(line.draft.send_at, now)
    except HexavoxError as error:
        return ReadLine(line=line.line, request=line.request, refused=error), now


def independent(batch: FoundBatch, read: Sequence[ReadLine]) -> Sequence[ReadLine]:
    """Return the first lines that do not depend on one another.

    In LIVE mode the sender may depend on the last message to the recipient, if several accounts
    have numbers. So a page has at most one line per recipient.
    """
    if batch.channel is Channel.EMAIL or batch.countries.mode is not DeliveryMode.LIVE:
        return read
    recipients: set[str] = set()
    for place, line in enumerate(read):
        if line.draft is None:
            continue
        recipient = line.draft.to[0]
        if recipient in recipients:
            return read[:place]
        recipients.add(recipient)
    return read


def unprocessable(batch: FoundBatch, stored: StoredLine) -> PreparedLine:
    """Return a line that is refused without being read."""
    single = SINGLE_SENDS[batch.channel]
    request = IdempotentRequest(
        route=single.route,
        scope=batch.scope,
        key=line_key(batch.key_base, stored.line, stored.own_key),
        fingerprint="",
    )
    return PreparedLine(line=stored.line, request=request, refused=HexavoxError())
