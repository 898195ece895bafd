"""Generates invalid payloads of a vendor."""

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
"""Bodies that are not a payload."""

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
"""Values that are invalid for every field."""

NO_WORD: Final[tuple[object, ...]] = (*WRONG, 7, 10**400, "", "a\0b", "a\ud800b", "w" * 5_000)
"""Values that are not an id, a reference or a name."""

NO_NUMBER: Final[tuple[object, ...]] = (*WRONG, "", "7", "seven")
"""Values that are not a whole number."""

MISSING: Final = object()
"""Marks a field to omit."""

Path = tuple[str | int, ...]

Field = tuple[Path, Sequence[object]]
"""The path of a field, and invalid values for it."""


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
    """Yield the mistake and the bodies that show it: another document, or one invalid field."""
    whole = json.dumps(document).encode()
    others = [[document], {"data": document}, whole.decode()]
    yield "no document", NO_DOCUMENT
    yield "truncated", [whole[:-1], whole[: len(whole) // 2], whole + b"}"]
    yield "nested otherwise", [json.dumps(other).encode() for other in others]
    for path, values in fields:
        bodies = [json.dumps(changed(document, path, value)).encode() for value in values]
        yield ".".join(map(str, path)), bodies
