"""Parses one HTTP/1.1 connection with h11, and adds limits that h11 lacks.

h11 limits only incomplete input: a head that arrives in one read passes whatever its size. It also
accepts syntax that a proxy may read differently (bare LF, folded headers, both framing headers).
Such requests are refused here to prevent request smuggling.
"""

import re
from collections.abc import Sequence
from typing import Final

import h11

from models.errors import BadRequest, HeadersTooLarge

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of request line and headers together."""

LARGEST_LINE: Final = 8 * 1024
"""Bytes of the request line; the limit of nginx and Apache."""

MOST_FIELDS: Final = 100
"""Headers of a request, and trailers. Apache, Tomcat and gunicorn have the same limit."""

LARGEST_FRAMING: Final = 8 * 1024
"""Bytes of one chunk header with its extensions, and of all trailers together."""

MOST_OVERHEAD: Final = 128 * 1024
"""Bytes of chunk headers that a body may have beyond a quarter of its own size."""

MOST_EMPTY: Final = 16
"""Bytes of empty lines before a request."""

_BLANK_LINE: Final = b"\r\n\r\n"
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)*")
_VERSIONS: Final = frozenset({b"1.0", b"1.1"})
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_LENGTH: Final = re.compile(rb"\ncontent-length[ \t]*:([^\r\n]*)", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)

_Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class BoundedConnection(h11.Connection):
    """The server side of a connection; `next_event` also raises BadRequest and HeadersTooLarge."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, LARGEST_FRAMING)
        self._fed = 0
        self._taken = 0
        self._checked = 0  # bytes of an incomplete head that were scanned
        self._empty = 0

    @property
    def unread(self) -> int:
        """Bytes received and not parsed yet."""
        return len(self._receive_buffer)

    @property
    def method(self) -> str:
        """The method of the current request; "-" if it could not be parsed."""
        return self._request_method.decode("ascii") if self._request_method else "-"

    def receive_data(self, data: bytes) -> None:
        """Buffer received data."""
        self._fed += len(data)
        super().receive_data(data)

    def next_event(self) -> _Event:
        """Parse one event; a head only once it is complete and within the limits."""
        if self.their_state is h11.IDLE and not self._head_is_complete():
            return h11.NEED_DATA
        event = super().next_event()
        if type(event) is h11.Data:
            self._taken += len(event.data)
            if event.chunk_start:
                self._check_overhead()
        elif type(event) is h11.Request:
            self._fed, self._taken, self._empty = len(self._receive_buffer), 0, 0
        elif type(event) is h11.EndOfMessage and event.headers:
            _check_trailers(event.headers)
        return event

    def _head_is_complete(self) -> bool:
        buffer = self._receive_buffer
        if not buffer:
            return False
        head = bytes(buffer)
        if head[:1] == b"\r":  # RFC 9112, 2.2: empty lines before a request are ignored
            empty = _EMPTY_LINES.match(head)
            assert empty is not None
            self._empty += empty.end()
            if self._empty > MOST_EMPTY:
                raise BadRequest("Too many empty lines come before the request.")
            buffer.maybe_extract_at_most(empty.end())
            head = head[empty.end() :]
            if head in (b"", b"\r"):
                return False
        if self._checked and head.find(b"\n", self._checked) < 0:
            end = -1  # scan each line once, not again for every byte that arrives
            _check_size(len(head))
        else:
            end = head.find(_BLANK_LINE)
            _check_head(head, len(head) if end < 0 else end)
            if end >= 0:
                _check_length(head[:end])
        self._checked = len(head) if end < 0 else 0
        return end >= 0

    def _check_overhead(self) -> None:
        overhead = self._fed - self._taken - len(self._receive_buffer)
        if overhead > MOST_OVERHEAD + self._taken // 4:
            raise BadRequest("The body comes in too many small chunks.")


def _check_size(end: int) -> None:
    if end > LARGEST_HEAD - len(_BLANK_LINE):
        raise HeadersTooLarge("Request line and headers have at most 64 KiB together.")


def _check_head(head: bytes, end: int) -> None:
    """Refuse a complete or partial head by checks that cost almost nothing."""
    _check_size(end)
    if end > LARGEST_LINE and head.find(b"\r\n", 0, LARGEST_LINE + 2) < 0:
        raise HeadersTooLarge("A request line has at most 8 KiB.")
    lines = head.count(b"\n", 0, end)
    if lines > MOST_FIELDS:
        raise HeadersTooLarge(f"A request has at most {MOST_FIELDS} headers.")
    if lines != head.count(b"\r\n", 0, end):
        raise BadRequest("A line of the request does not end with CR LF.")
    if head.find(b"\n ", 0, end) >= 0 or head.find(b"\n\t", 0, end) >= 0:
        raise BadRequest("A header is folded into several lines.")
    if head[0] < 0x21:  # not HTTP, such as a TLS handshake
        raise BadRequest("This is not an HTTP/1.1 request.")


def _check_length(head: bytes) -> None:
    """Refuse a repeated Content-Length: h11 merges equal ones, a proxy may not."""
    told = _LENGTH.findall(head)
    if len(told) > 1 or any(b"," in length for length in told):
        raise BadRequest("Content-Length is given more than once.")


def check_request(http_version: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise BadRequest for valid syntax that two parsers may interpret differently."""
    if http_version not in _VERSIONS:
        raise BadRequest("The versions of HTTP spoken here are 1.0 and 1.1.")
    has_length = is_chunked = False
    for name, value in headers:
        if name == b"host" and not _HOST.fullmatch(value):
            raise BadRequest("The header Host is not a host.")
        if name == b"content-length":
            has_length = True
        elif name == b"transfer-encoding":
            is_chunked = True
    if is_chunked and (has_length or http_version == b"1.0"):
        raise BadRequest("Transfer-Encoding is for HTTP/1.1, and not beside Content-Length.")


def _check_trailers(trailers: Sequence[tuple[bytes, bytes]]) -> None:
    size = sum(len(name) + len(value) + 4 for name, value in trailers)
    if len(trailers) > MOST_FIELDS or size > LARGEST_FRAMING:
        raise HeadersTooLarge(f"Trailers have at most {MOST_FIELDS} fields and 8 KiB together.")


def origin_form(method: bytes, target: bytes) -> bytes:
    """Return the path and query of a request target (RFC 9112, 3.2).

    Raises:
        BadRequest: the target has no form that the method allows.
    """
    if target.startswith(b"/") or method == b"CONNECT" or (method, target) == (b"OPTIONS", b"*"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        raise BadRequest("The request target is neither a path nor an http address.")
    path = target[absolute.end() :]
    return path if path.startswith(b"/") else b"/" + path
