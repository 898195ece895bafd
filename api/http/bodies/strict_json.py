"""Parses JSON request bodies strictly: ambiguous input is refused, never corrected.

No step takes more than 50 ms of CPU for up to 4 MiB of text. Between the steps of a large document
the event loop runs other tasks.
"""

import asyncio
import json
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn, TypeAlias

from starlette.requests import Request

from api.http.bodies.json_nodes import MOST_NODES, has_too_many_nodes
from api.http.problems import field_name
from models.errors import MalformedJson, UnsupportedMediaType, ValidationFailed

DEEPEST: Final = 32
MOST_ENTRIES: Final = 200
"""Maximum entries of one object or array. Pydantic collects every error before it stops, so this
bounds their number. No valid request has more than 50 of anything.
"""

_LONGEST_NUMBER: Final = 100
_LARGEST_EXPONENT: Final = 1000
"""PostgreSQL stores no number in JSON whose exponent has more than five digits."""

_LONGEST_READ: Final = 4300
"""Digits; `int` refuses longer numbers by default (CPython's integer string conversion limit)."""

_LARGE: Final = 256 * 1024
"""Bytes above which a document yields to the event loop between steps."""

_Place: TypeAlias = "tuple[_Place, int | str] | None"
"""Path of a value as a linked list: the path of its container, and its name or index in it."""


class JsonRequest(Request):
    """A request whose body is parsed by this module; FastAPI calls `json()`."""

    document: Any = None
    """The parsed document, even if its values are refused; None before parsing and without a
    body.
    """

    async def json(self) -> Any:
        """Return the document; it is parsed once."""
        if not hasattr(self, "_json"):
            require_json(self.headers.get("content-type", ""))
            body = await self.body()
            check_size(body)
            await yield_to_event_loop(body)
            document = self.document = read(body)
            await yield_to_event_loop(body)
            check_values(document)
            self._json = document
        return self._json


async def yield_to_event_loop(body: bytes) -> None:
    """Yield to the event loop before the next step of a large document."""
    if len(body) > _LARGE:
        await asyncio.sleep(0)


def require_json(content_type: str) -> None:
    """Raise UnsupportedMediaType unless the content type is JSON in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    charsets = {p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset")}
    if not is_json or not charsets <= {"utf-8", "utf8"}:
        raise UnsupportedMediaType("Send Content-Type: application/json, in UTF-8.")


def check_size(body: bytes) -> None:
    """Raise ValidationFailed for too many values, before any is built."""
    if has_too_many_nodes(body):
        raise _wrong(None, f"has more than {MOST_NODES} values")


def read(body: bytes) -> Any:
    """Return the document; numbers with a point become Decimal, so that none is rounded."""
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repetition,
        )
    except UnicodeDecodeError as error:
        raise MalformedJson("The body is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise MalformedJson(f"The body is nested more than {DEEPEST} levels deep.") from error


def check_text(text: str, where: tuple[int | str, ...]) -> None:
    """Raise ValidationFailed for text that PostgreSQL or a response cannot hold."""
    reason = _unwritable(text)
    if reason is not None:
        field = field_name(where) or "body"
        raise ValidationFailed(f"{field}: {reason}", ((field, reason),))


def check_values(document: Any) -> None:
    """Check every text and the size of every object and array of a document.

    It is iterative: nesting in the input cannot exhaust the stack.
    """
    _check_one(None, document)
    waiting: list[tuple[_Place, int, Any]] = [(None, 1, document)]
    while waiting:
        place, depth, holder = waiting.pop()
        if not isinstance(holder, list | dict) or not holder:
            continue
        if depth > DEEPEST:
            raise MalformedJson(f"The body is nested more than {DEEPEST} levels deep.")
        for step, value in enumerate(holder) if isinstance(holder, list) else holder.items():
            if isinstance(step, str) and (reason := _unwritable(step)):
                raise _wrong(place, reason)
            if isinstance(value, str | list | dict):
                here = (place, step)
                _check_one(here, value)
                waiting.append((here, depth + 1, value))


def _check_one(place: _Place, value: Any) -> None:
    if isinstance(value, list | dict):
        if len(value) > MOST_ENTRIES:
            raise _wrong(place, f"has more than {MOST_ENTRIES} entries")
    elif isinstance(value, str) and (reason := _unwritable(value)):
        raise _wrong(place, reason)


def _unwritable(text: str) -> str | None:
    """Return why PostgreSQL or a response cannot hold a text; None if they can."""
    if "\x00" in text:
        return "must not contain NUL characters"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "must not contain lone surrogates"
    return None


def _wrong(place: _Place, reason: str) -> ValidationFailed:
    steps: list[int | str] = []
    while place is not None:
        place, step = place
        steps.append(step)
    field = field_name(tuple(reversed(steps))) or "body"
    return ValidationFailed(f"{field}: {reason}", ((field, reason),))


def _whole(digits: str) -> int:
    _check_length(digits)
    return int(digits)


def _fraction(digits: str) -> Decimal:
    _check_length(digits)
    with suppress(InvalidOperation):  # for an exponent of more than 18 digits
        number = Decimal(digits)
        if abs(number.adjusted()) <= _LARGEST_EXPONENT:
            return number
    raise _wrong(None, "a number is too large or too small")


def _check_length(digits: str) -> None:
    """Refuse a number that is slow to convert; no field holds one that long."""
    if len(digits) > _LONGEST_READ:
        raise MalformedJson(f"A number has more than {_LONGEST_NUMBER} characters.")
    if len(digits) > _LONGEST_NUMBER:
        raise _wrong(None, f"a number has more than {_LONGEST_NUMBER} characters")


def _refuse_constant(word: str) -> NoReturn:
    raise MalformedJson(f"{word} is not JSON. Leave the field out, or send null or a number.")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise MalformedJson("A field is given twice in one object. Send each field once.")
    return document
