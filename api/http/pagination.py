"""Pages of lists: an opaque cursor, and a Link header while there are more items."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.datastructures import URL
from starlette.responses import Response

from models.queries.tenants.cursors import unknown_cursor

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 500
_LONGEST_CURSOR = 32
_LARGEST_ID = 2**52 - 1

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Slice(Generic[Item]):
    """A page of items; `end` is the public id after which the next page begins, if there is one."""

    items: Sequence[Item]
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Limit and cursor of the requested page."""

    limit: int
    cursor: str | None
    url: URL

    def after_id(self) -> int | None:
        """Return the public id after which the page begins; None for the first page.

        Raises ValidationFailed for a cursor that the API did not issue.
        """
        return None if self.cursor is None else _decode(self.cursor)

    def cut(
        self,
        rows: Sequence[Item],
        public_id: Callable[[Item], int],
        examined: int | None = None,
    ) -> Slice[Item]:
        """Cut a page from rows that were queried with one more than the limit.

        `examined` is the public id of the last row that a query examined if it ended early.
        """
        kept = rows[: self.limit]
        more = len(rows) > self.limit
        return Slice(kept, public_id(kept[-1]) if more else examined)

    def show(self, found: Slice[Item], response: Response) -> list[Item]:
        """Return the page; its Link header keeps the other query parameters."""
        if found.end is not None:
            following = self.url.include_query_params(cursor=encode(found.end))
            # Relative (RFC 8288, 3.1): the host seen here may be a proxy's, or whatever Host
            # contained.
            target = f"{following.path}?{following.query}"
            response.headers["Link"] = f'<{target}>; rel="next"'
        return list(found.items)


def encode(public_id: int) -> str:
    """Encode the public id of a row as a cursor."""
    return urlsafe_b64encode(str(public_id).encode()).decode().rstrip("=")


def _decode(cursor: str) -> int:
    if len(cursor) > _LONGEST_CURSOR:
        raise unknown_cursor()
    try:
        digits = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (NotBase64, ValueError) as error:
        raise unknown_cursor() from error
    if not digits.isdecimal() or int(digits) > _LARGEST_ID:
        raise unknown_cursor()
    return int(digits)
