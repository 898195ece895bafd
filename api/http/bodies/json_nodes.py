"""Counts the values of a JSON text without building them."""

from typing import Final

MOST_NODES: Final = 10_000
"""Maximum number of values of a document: objects, arrays, strings, numbers and literals."""

_QUOTES: Final = 4
"""Maximum number of quotes per value: two for a string and two for its name."""

_SPACE: Final = b" \t\r\n"


def has_too_many_nodes(text: bytes, most: int = MOST_NODES) -> bool:
    """Return whether a JSON text has more than `most` values.

    For text that is not JSON the result is meaningless, but the cost stays bounded: a few passes in
    C.
    """
    if len(text) - len(text.translate(None, b",[{")) < most:
        return False
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > _QUOTES * most:
        return True
    outside = b'"'.join(plain.split(b'"')[::2]).translate(None, _SPACE)
    containers = outside.count(b"[") + outside.count(b"{")
    empty = outside.count(b"[]") + outside.count(b"{}")
    # One for the document; a non-empty container has one value more than it has commas.
    return 1 + outside.count(b",") + containers - empty > most
