"""Static documents, built once and served from memory with an entity tag (RFC 9110, 8.8.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_PIECE: Final = 64 * 1024
"""Bytes per write: a slow client then buffers this much of a document, not all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prebuilt:
    """A document and its response headers."""

    body: bytes
    etag: str
    headers: Mapping[str, str]

    @classmethod
    def make(cls, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Self:
        """Build a document; its entity tag is a hash of its content."""
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        own = {
            "Content-Type": media_type,
            "ETag": etag,
            "Cache-Control": "no-cache",  # clients may store it but must revalidate
            "X-Content-Type-Options": "nosniff",
        }
        return cls(body=body, etag=etag, headers={**own, **(headers or {})})

    def answer(self, request: Request) -> Response:
        """Return the document, or 304 if the client has this version."""
        if _names(", ".join(request.headers.getlist("if-none-match")), self.etag):
            return Response(status_code=304, headers=self.headers)
        return _InPieces(self.body, headers=dict(self.headers))


class _InPieces(Response):
    """A large body, written in pieces with flow control."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        view = memoryview(self.body)
        for at in range(0, len(view), _PIECE):
            more = at + _PIECE < len(view)
            piece = bytes(view[at : at + _PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def _names(if_none_match: str, etag: str) -> bool:
    """Return whether an If-None-Match list contains this tag, compared weakly (RFC 9110, 13.1.2).

    A substring search is enough: a tag includes its quotes, so it cannot be part of another one.
    """
    return etag in if_none_match or if_none_match.strip() == "*"
