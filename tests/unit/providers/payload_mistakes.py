"""What a vendor's payload can look like when it is not what was agreed on."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

NO_DOCUMENT: Final[list[bytes]] = [
    b"",
    b" ",
    b"not json",
    b"<html>502</html>",
    b"\xff\xfe\x00",
    b"\x80",
    b"null",
    b"true",
    b"7",
    b"NaN",
    b'"id"',
    b"[]",
    b"[[]]",
    b"{}",
    b"{" * 10,
    b"[" * 100_000,
    b'{"id":' * 100_000,
    b"9" * 5_000,
]
"""Bodies that are no payload of any kind."""

WRONG: Final[tuple[object, ...]] = (
    None,
    True,
    float("nan"),
    float("inf"),
    -1.5,
    [],
    {},
    ["m1"],
    {"id": "m1"},
)
"""Values that no field of any payload has."""

NO_WORD: Final[tuple[object, ...]] = (*WRONG, 7, 10**400, "", "a\0b", "a\ud800b", "w" * 5_000)
"""Values that are no id, no reference and no name."""

NO_NUMBER: Final[tuple[object, ...]] = (*WRONG, "", "7", "seven")
"""Values that are no whole number."""

MISSING: Final = object()
"""Stands for: leave the field out."""

Path = tuple[str | int, ...]

Field = tuple[Path, Sequence[object]]
"""Where a field is, and values that it cannot have."""


def changed(document: Any, path: Path, value: object) -> Any:
    """Return a document with another value at a path, or without it."""
    copied = json.loads(json.dumps(document))
    *outer, last = path
    place = copied
    for step in outer:
        place = place[step]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return copied


def mistakes(document: Any, fields: Sequence[Field]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what is wrong and the bodies that show it: not this document, or one wrong field."""
    whole = json.dumps(document).encode()
    others = [[document], {"data": document}, whole.decode()]
    yield "no document", NO_DOCUMENT
    yield "truncated", [whole[:-1], whole[: len(whole) // 2], whole + b"}"]
    yield "nested otherwise", [json.dumps(other).encode() for other in others]
    for path, values in fields:
        bodies = [json.dumps(changed(document, path, value)).encode() for value in values]
        yield ".".join(map(str, path)), bodies
