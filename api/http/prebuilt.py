"""Documents that are made once and served from memory, with an entity tag (RFC 9110, 8.8.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_PIECE: Final = 64 * 1024
"""Bytes written at once: a client that reads slowly holds this much of a document, not all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prebuilt:
    """A document and the headers it is served with."""

    body: bytes
    etag: str
    headers: Mapping[str, str]

    @classmethod
    def make(cls, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Self:
        """Name the document by its content."""
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        own = {
            "Content-Type": media_type,
            "ETag": etag,
            "Cache-Control": "no-cache",  # keep it, and ask whether it is still the same
            "X-Content-Type-Options": "nosniff",
        }
        return cls(body=body, etag=etag, headers={**own, **(headers or {})})

    def answer(self, request: Request) -> Response:
        """Answer with the document, or with 304 to a client that has it."""
        if _names(", ".join(request.headers.getlist("if-none-match")), self.etag):
            return Response(status_code=304, headers=self.headers)
        return _InPieces(self.body, headers=dict(self.headers))


class _InPieces(Response):
    """A large body, written piece by piece as the client takes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        view = memoryview(self.body)
        for at in range(0, len(view), _PIECE):
            more = at + _PIECE < len(view)
            piece = bytes(view[at : at + _PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def _names(if_none_match: str, etag: str) -> bool:
    """Say whether a list of entity tags holds this one; compared weakly (RFC 9110, 13.1.2).

    A tag includes its quotes, so that it cannot be a part of another one: no list is taken apart.
    """
    return etag in if_none_match or if_none_match.strip() == "*"
