"""How many values a JSON text holds, counted without building any of them."""

from typing import Final

MOST_NODES: Final = 10_000
"""Values of one document: objects, arrays, strings, numbers and literals."""

_QUOTES: Final = 4
"""Of one value at most: it may be a string and have a name."""

_SPACE: Final = b" \t\r\n"


def has_too_many_nodes(text: bytes, most: int = MOST_NODES) -> bool:
    """Tell whether a JSON text holds more than so many values.

    Of a text that is no JSON the answer means nothing; only its cost is bounded: a few passes in C.
    """
    if len(text) - len(text.translate(None, b",[{")) < most:
        return False
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > _QUOTES * most:
        return True
    outside = b'"'.join(plain.split(b'"')[::2]).translate(None, _SPACE)
    containers = outside.count(b"[") + outside.count(b"{")
    empty = outside.count(b"[]") + outside.count(b"{}")
    # The document itself, and in each container that is not empty one value more than commas.
    return 1 + outside.count(b",") + containers - empty > most
