"""Cuts long bodies into items while they are received, so that each item is parsed alone.

Cutting finds only where items begin and end. Item and frame are then parsed strictly, which finds
every mistake: a JSON text is valid exactly if its items are, and the text without them.
"""

import re
from collections.abc import Iterator
from typing import Final, Protocol

from api.http.bodies.body_size import KIB, MIB
from models.errors import MalformedJson, PayloadTooLarge, ValidationFailed

LARGEST_ITEM: Final = 4 * MIB
"""Bytes; as many as the body of a single e-mail."""

LARGEST_FRAME: Final = 64 * KIB

MOST_CONTAINERS: Final = 500_000
"""Maximum objects and arrays of a JSON text, each of which costs about a microsecond. 10,000
messages with metadata have 20,000.
"""

_REST_OF_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


def _text_up_to(marks: bytes) -> re.Pattern[bytes]:
    """Match text with whole strings, up to a mark outside of them or a string that goes on.

    No part is tried twice.
    """
    text = rb'[^"' + re.escape(marks) + rb"]*+"
    return re.compile(text + rb'(?:"' + _REST_OF_STRING.pattern + rb'"' + text + rb")*+", re.DOTALL)


_OUTSIDE: Final = _text_up_to(b"[]{},")
_INSIDE: Final = _text_up_to(b"[]{}")
"""Commas inside of an item do not matter."""

_QUOTE, _COMMA, _ARRAY = b'",['
_SPACE: Final = b" \t\r\n"
"""White space of JSON."""
_OPENING: Final = frozenset(b"[{")
_CLOSING: Final = frozenset(b"]}")

_DEPTH_OF_ITEMS: Final = 2
"""Containers around an item: the object and its array."""


class ItemCutter(Protocol):
    """Cuts the pieces of one body."""

    @property
    def frame(self) -> bytes:
        """What is left of the body without its items; complete after `finish`."""
        ...

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Return the items that end in the next piece."""
        ...

    def finish(self) -> Iterator[bytes]:
        """Return the items that end with the body; raises MalformedJson if it is incomplete."""
        ...


class ArrayCutter:
    """Cuts the items of the one array that a JSON object has as a value.

    The frame is the object with that array empty.
    """

    def __init__(self) -> None:
        self._frame = bytearray()
        self._item = bytearray()
        self._containers = 0
        self._depth = 0
        self._in_string = False
        self._escaping = False
        self._in_array = False
        self._arrays = 0
        self._items = 0

    @property
    def frame(self) -> bytes:
        """The object with its array empty."""
        return bytes(self._frame)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Return the items that end in the next piece."""
        begin = position = 0
        while position < len(piece):
            if self._in_string:
                position = self._skip_string(piece, position)
                continue
            found = self._next_mark(piece, position)
            if found is None:
                break
            position, mark = found + 1, piece[found]
            if mark == _QUOTE:
                self._in_string = True
            elif mark in _OPENING:
                self._count()
                self._depth += 1
                if mark == _ARRAY and self._depth == _DEPTH_OF_ITEMS:
                    self._add(piece[begin:position])
                    begin = position
                    self._enter_array()
            else:
                if self._in_array and self._depth == _DEPTH_OF_ITEMS:
                    self._add(piece[begin:found])
                    begin = position if mark == _COMMA else found
                    yield from self._end_item(last=mark != _COMMA)
                self._depth -= mark in _CLOSING
        self._add(piece[begin:])

    def finish(self) -> Iterator[bytes]:
        """Return no more items; raises MalformedJson if the body is incomplete."""
        if self._in_string or self._depth > 0:
            raise MalformedJson("The body ends before the JSON document does.")
        return iter(())

    def _next_mark(self, piece: bytes, position: int) -> int | None:
        """Return the position of the next character that matters; None if there is none."""
        is_inside = self._in_array and self._depth > _DEPTH_OF_ITEMS
        text = (_INSIDE if is_inside else _OUTSIDE).match(piece, position)
        assert text is not None  # it matches the empty string
        return text.end() if text.end() < len(piece) else None

    def _skip_string(self, piece: bytes, position: int) -> int:
        """Return the position behind the string, or behind the piece if it goes on in the next.

        If a backslash ends the piece, it escapes the first byte of the next one.
        """
        if self._escaping:
            self._escaping = False
            position += 1
        found = _REST_OF_STRING.match(piece, position)
        assert found is not None  # it matches the empty string
        end = found.end()
        self._in_string = piece[end : end + 1] != b'"'
        self._escaping = self._in_string and end < len(piece)
        return len(piece) if self._in_string else end + 1

    def _count(self) -> None:
        self._containers += 1
        if self._containers > MOST_CONTAINERS:
            reason = f"has more than {MOST_CONTAINERS} objects and arrays"
            raise ValidationFailed(f"The body {reason}.", (("body", reason),))

    def _enter_array(self) -> None:
        self._in_array = True
        self._arrays += 1
        if self._arrays > 1:
            reason = "must have one array only"
            raise ValidationFailed(f"The body {reason}.", (("body", reason),))

    def _add(self, text: bytes) -> None:
        """Add text to what it belongs to; a long gap between two marks is shortened."""
        if not self._in_string and not text.strip(_SPACE):
            text = text[:1]
        if self._in_array:
            _add_to_item(self._item, text)
        else:
            _add_to_frame(self._frame, text)

    def _end_item(self, *, last: bool) -> Iterator[bytes]:
        """Return the item that ends here; an empty array has none."""
        item = bytes(self._item)
        self._item.clear()
        self._in_array = not last
        if last and not self._items and not item.strip(_SPACE):
            return
        self._items += 1
        yield item


class LineCutter:
    """Cuts the lines of NDJSON; the first one is the frame, the others are the items.

    Empty lines are allowed at the end only.
    """

    def __init__(self) -> None:
        self._frame: bytes | None = None
        self._line = bytearray()
        self._lines = 0
        self._blank: int | None = None

    @property
    def frame(self) -> bytes:
        """The first line."""
        return self._frame or b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Return the lines that end in the next piece."""
        if not self._line and not piece.strip(_SPACE):
            self._skip_empty_lines(piece)
            return
        *ended, rest = piece.split(b"\n")
        for part in ended:
            self._add(part)
            yield from self._end_line()
        self._add(rest)

    def finish(self) -> Iterator[bytes]:
        """Return the last line, if it has no line break."""
        if self._line:
            yield from self._end_line()

    def _add(self, part: bytes) -> None:
        """Add a part of a line, which begins with its first character that is not white space."""
        _add_to_item(self._line, part if self._line else part.lstrip(_SPACE))

    def _skip_empty_lines(self, piece: bytes) -> None:
        """Skip white space at once; a body may end with 10 MiB of it."""
        if count := piece.count(b"\n"):
            self._blank = self._blank or self._lines + 1
            self._lines += count

    def _end_line(self) -> Iterator[bytes]:
        line = bytes(self._line)
        self._line.clear()
        self._lines += 1
        if not line:
            self._blank = self._blank or self._lines
        elif self._blank:
            raise MalformedJson(f"Line {self._blank} of the body is empty.")
        elif self._frame is None:
            if len(line) > LARGEST_FRAME:
                raise _frame_too_large()
            self._frame = line
        else:
            yield line


def _add_to_item(item: bytearray, text: bytes) -> None:
    item += text
    if len(item) > LARGEST_ITEM:
        raise PayloadTooLarge(f"One message has at most {LARGEST_ITEM // MIB} MiB.")


def _add_to_frame(frame: bytearray, text: bytes) -> None:
    frame += text
    if len(frame) > LARGEST_FRAME:
        raise _frame_too_large()


def _frame_too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"Without its messages a body has at most {LARGEST_FRAME // KIB} KiB.")
