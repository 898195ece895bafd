"""Lists, page by page: an opaque cursor, and a Link header while there is more."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.datastructures import URL
from starlette.responses import Response

from models.errors import ValidationFailed

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 500
_LARGEST_NUMBER = 2**63 - 1

Position = tuple[int, ...]
"""Where a page ended: the numbers its list is sorted by."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Slice(Generic[Item]):
    """Some items of a list, and where the next ones begin."""

    items: Sequence[Item]
    end: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None
    url: URL

    def after(self, size: int) -> Position | None:
        """Return the position to go on from; a cursor we never gave is refused."""
        if self.cursor is None:
            return None
        position = _decode(self.cursor)
        if len(position) != size:
            raise _forged()
        return position

    def after_id(self) -> int | None:
        """Return the id to go on from, for a list that is sorted by one."""
        position = self.after(size=1)
        return None if position is None else position[0]

    def cut(self, rows: Sequence[Item], position: Callable[[Item], Position]) -> Slice[Item]:
        """Make a slice of rows that were asked for one more than the limit."""
        kept = rows[: self.limit]
        more = len(rows) > self.limit
        return Slice(kept, position(kept[-1]) if more else None)

    def show(self, found: Slice[Item], response: Response) -> list[Item]:
        """Answer with a slice; the link to the next one keeps the other query parameters."""
        if found.end is not None:
            following = self.url.include_query_params(cursor=encode(found.end))
            # Relative (RFC 8288, 3.1): the address we see may be a proxy's, or whatever Host said.
            target = f"{following.path}?{following.query}"
            response.headers["Link"] = f'<{target}>; rel="next"'
        return list(found.items)


def encode(position: Position) -> str:
    """Write a position as a cursor."""
    text = json.dumps(position, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> Position:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        numbers = json.loads(text)
    except (NotBase64, ValueError, RecursionError) as error:
        raise _forged() from error
    if not isinstance(numbers, list) or not all(
        type(number) is int and 0 <= number <= _LARGEST_NUMBER for number in numbers
    ):
        raise _forged()
    return tuple(numbers)


def _forged() -> ValidationFailed:
    return ValidationFailed(
        "cursor must be taken from the Link header of this list",
        (("cursor", "must be taken from the Link header of this list"),),
    )
