"""Reads the body of a batch while it arrives: JSON, or NDJSON whose first line is the head.

The body is checked for structure only: JSON, the head, that each line is an object with a valid
`key`. A line is validated in full when it is accepted. No step takes more than 50 ms of CPU, and
between the steps the event loop runs other tasks.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.http.bodies import strict_json
from api.http.bodies.item_cutters import ArrayCutter, ItemCutter, LineCutter
from api.http.idempotency import canonical, unquoted
from api.schemas.batches import BatchHead
from models.enums import Channel
from models.errors import MalformedJson, UnsupportedMediaType, ValidationFailed
from models.rules.consent.contact_keys import ContactKeys
from models.rules.messages.batches.keys import MAX_LINES

NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
"""Media types; none is registered, the first is the usual one."""

_SLICE: Final = 16 * 1024
"""Bytes that are cut at once: about 5 ms for the worst input."""

_AT_ONCE: Final = 50
"""Lines between two yields to the event loop: about 1 ms if they are short."""

_MESSAGES: Final = "messages"
_BODY: Final = "body"
"""Name of the whole document in errors."""

_UNSUPPORTED: Final = "Send Content-Type: application/json or application/x-ndjson, in UTF-8."


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """A line as it was sent."""

    text: str = field(repr=False)
    """A JSON object that PostgreSQL can store."""
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBatch:
    """A batch whose structure is valid."""

    merchant: str
    """The integrator's id."""
    channel: Channel
    lines: Sequence[ReceivedLine]
    fingerprint: str
    """Equal for equal batches, whether sent as JSON or as NDJSON."""


async def receive_batch(
    pieces: AsyncIterator[bytes], content_type: str, contact_keys: ContactKeys
) -> ReceivedBatch:
    """Read a batch from the pieces of its body.

    Raises:
        UnsupportedMediaType: it is neither JSON nor NDJSON in UTF-8.
        BadRequest, RequestValidationError: it is not a batch.
        PayloadTooLarge: one line, or the rest of the body, is too large.
    """
    is_ndjson = _is_ndjson(content_type)
    cutter: ItemCutter = LineCutter() if is_ndjson else ArrayCutter()
    lines = _Lines()
    async for piece in pieces:
        for begin in range(0, len(piece), _SLICE):
            for item in cutter.feed(piece[begin : begin + _SLICE]):
                await lines.add(item)
            await asyncio.sleep(0)
    for item in cutter.finish():
        await lines.add(item)
    document = _read_frame(cutter.frame, without_messages=is_ndjson)
    head = _check_head(document)
    if not lines.found:
        raise _wrong(_MESSAGES, "must have at least 1 message")
    text = canonical({}, {**document, _MESSAGES: lines.digest})
    return ReceivedBatch(
        merchant=head.merchant_id,
        channel=head.channel,
        lines=lines.found,
        fingerprint=contact_keys.fingerprint(text),
    )


class _Lines:
    """The lines so far, and a hash of them."""

    def __init__(self) -> None:
        self.found: list[ReceivedLine] = []
        self._hash = sha256()

    @property
    def digest(self) -> str:
        """Hash of all lines in order, whatever the order of their members."""
        return self._hash.hexdigest()

    async def add(self, item: bytes) -> None:
        """Read one line; raises BadRequest with its number."""
        number = len(self.found) + 1
        if number > MAX_LINES:
            raise _wrong(_MESSAGES, f"must have at most {MAX_LINES} messages")
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            line = await _read_line(item)
            key = _key_of(line)
        except MalformedJson as error:
            raise MalformedJson(f"Line {number}: {error.detail}") from error
        except ValidationFailed as error:
            raise _of_line(number, error) from error
        await strict_json.yield_to_event_loop(item)
        text = canonical({}, line)
        await strict_json.yield_to_event_loop(item)
        self._hash.update(text.encode())
        await strict_json.yield_to_event_loop(item)
        self.found.append(ReceivedLine(item.strip().decode(), key))


async def _read_line(item: bytes) -> dict[str, Any]:
    """Parse a line as strictly as the body of a single send."""
    await strict_json.yield_to_event_loop(item)
    strict_json.check_size(item)
    await strict_json.yield_to_event_loop(item)
    line = strict_json.read(item)
    await strict_json.yield_to_event_loop(item)
    strict_json.check_values(line)
    if not isinstance(line, dict):
        raise _wrong(_BODY, "must be an object")
    return line


def _key_of(line: dict[str, Any]) -> str | None:
    given = line.get("key")
    if given is None:
        return None
    key = unquoted(given) if isinstance(given, str) else None
    if key is None:
        raise _wrong("key", "must be 1 to 255 visible ASCII characters")
    return key


def _read_frame(frame: bytes, *, without_messages: bool) -> dict[str, Any]:
    """Return the head; of JSON, what the body has besides its messages."""
    if not frame.strip():
        raise _wrong(_BODY, "is required")
    document = strict_json.read(frame)
    strict_json.check_values(document)
    if not isinstance(document, dict):
        raise _wrong(_BODY, "must be an object")
    if without_messages:
        return document
    if not isinstance(document.pop(_MESSAGES, []), list):
        raise _wrong(_MESSAGES, "must be an array")
    return document


def _check_head(document: dict[str, Any]) -> BatchHead:
    try:
        return BatchHead.model_validate(document)
    except ValidationError as error:
        errors = [{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]
        raise RequestValidationError(errors) from error


def _is_ndjson(content_type: str) -> bool:
    """Return whether a content type is NDJSON, not JSON; raises UnsupportedMediaType."""
    media_type, *parameters = content_type.split(";")
    is_ndjson = media_type.strip().lower() in NDJSON
    as_json = ";".join(["application/json", *parameters]) if is_ndjson else content_type
    try:
        strict_json.require_json(as_json)
    except UnsupportedMediaType as error:
        raise UnsupportedMediaType(_UNSUPPORTED) from error
    return is_ndjson


def _of_line(number: int, error: ValidationFailed) -> ValidationFailed:
    """Return an error that names its line."""
    place = f"{_MESSAGES}.{number - 1}"
    errors = tuple(
        (place if name == _BODY else f"{place}.{name}", reason) for name, reason in error.errors
    )
    return ValidationFailed(f"Line {number}: {error.detail.removeprefix(f'{_BODY}: ')}", errors)


def _wrong(name: str, reason: str) -> ValidationFailed:
    return ValidationFailed(f"{name}: {reason}", ((name, reason),))
