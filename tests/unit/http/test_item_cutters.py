"""Cutting bodies into items: exactly the items, however the body is divided into pieces."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.bodies.item_cutters import (
    LARGEST_FRAME,
    LARGEST_ITEM,
    MOST_CONTAINERS,
    ArrayCutter,
    ItemCutter,
    LineCutter,
)
from models.errors import HexavoxError, MalformedJson, PayloadTooLarge, ValidationFailed

KIB = 1024
MIB = 1024 * KIB

TRICKY = st.text(alphabet='",:[]{}\\ \n\tabж😀\u0000', max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TRICKY, inner, max_size=4),
    max_leaves=20,
)
HEADS = st.dictionaries(TRICKY, st.none() | st.integers() | TRICKY, max_size=4)


def cut(cutter: ItemCutter, body: bytes, size: int = 7) -> list[bytes]:
    """Feed a body in pieces of a size."""
    items = [item for n in range(0, len(body), size) for item in cutter.feed(body[n : n + size])]
    return [*items, *cutter.finish()]


def parsed(body: bytes, size: int) -> tuple[Any, list[Any]]:
    """Cut and parse a JSON text."""
    cutter = ArrayCutter()
    items = cut(cutter, body, size)
    return json.loads(cutter.frame), [json.loads(item) for item in items]


@given(HEADS, st.lists(VALUES, max_size=6), st.integers(0, 4), st.booleans(), st.integers(1, 40))
def test_frame_and_items_are_the_document(
    head: dict[str, Any], items: list[Any], place: int, escaped: bool, size: int
) -> None:
    pairs = [pair for pair in head.items() if pair[0] != "messages"]
    pairs.insert(min(place, len(pairs)), ("messages", items))
    for indent in (None, 1):
        body = json.dumps(dict(pairs), ensure_ascii=escaped, indent=indent).encode()
        assert parsed(body, size) == ({**dict(pairs), "messages": []}, items)


def is_valid(body: bytes) -> bool:
    """Return whether the parts of a text are valid JSON."""
    try:
        parsed(body, 5)
    except (ValueError, MalformedJson):
        return False
    return True


@given(st.data())
def test_a_text_is_valid_exactly_if_its_parts_are(data: st.DataObject) -> None:
    items = data.draw(st.lists(VALUES, max_size=4))
    body = json.dumps({"a": 1, "messages": items, "b": "]"}).encode()
    at = data.draw(st.integers(0, len(body)))
    change = data.draw(
        st.sampled_from([b"", b",", b"[", b"]", b"{", b"}", b'"', b"\\", b":", b"1"])
    )
    taken = data.draw(st.integers(0, 2))
    changed = body[:at] + change + body[at + taken :]
    try:
        json.loads(changed)
        valid = True
    except ValueError:
        valid = False
    try:
        assert is_valid(changed) == valid
    except ValidationFailed:  # a second array
        assert changed.count(b"[") > 1


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (b'{"messages":[]}', []),
        (b'{"messages":[ \n ]}', []),
        (b'{"messages":[1]}', [b"1"]),
        (b'{"messages":[1,]}', [b"1", b""]),
        (b'{"messages":[,1]}', [b"", b"1"]),
        (b'{"messages":[,]}', [b"", b""]),
        (b'{"messages":["]","\\"]",{"a":[1,2]}]}', [b'"]"', b'"\\"]"', b'{"a":[1,2]}']),
        (b'{"a":{"b":[1,2]},"messages":[3]}', [b"3"]),
        (b'{"messages":["\\\\"],"a":"["}', [b'"\\\\"']),
    ],
)
def test_items_end_at_their_comma_or_bracket(body: bytes, items: list[bytes]) -> None:
    for size in range(1, len(body) + 1):
        assert cut(ArrayCutter(), body, size) == items


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"messages":[',
        b'{"messages":[1',
        b'{"a',
        b'{"messages":["\\"]}',
        b'{"messages":[{]}',
    ],
)
def test_a_text_that_ends_early_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        cut(ArrayCutter(), body)


def test_white_space_between_items_takes_no_room() -> None:
    gap = b" \t\r\n" * MIB
    cutter = ArrayCutter()
    body = gap + b'{"a":1,"messages":[' + gap + b"1" + gap + b"," + gap + b"2" + gap + b"]}" + gap
    assert [item.strip() for item in cut(cutter, body, 16 * KIB)] == [b"1", b"2"]
    assert json.loads(cutter.frame) == {"a": 1, "messages": []}
    lines = LineCutter()
    assert cut(lines, b" {}\n  1\n" + gap, 16 * KIB) == [b"1"]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\n\n \n"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_end_at_their_breaks(ending: bytes, size: int) -> None:
    cutter = LineCutter()
    assert cut(cutter, b'{"h":1}\n{"a":1}\r\n{"b":2}' + ending, size) == [
        b'{"a":1}\r',
        b'{"b":2}' + ending[:1].replace(b"\n", b""),
    ]
    assert cutter.frame == b'{"h":1}'


@pytest.mark.parametrize("body", [b"\n{}\n{}", b"{}\n\n{}", b"{}\n{}\n \r\n{}", b"\r\n{}"])
def test_an_empty_line_before_another_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson, match=r"Line \d of the body is empty"):
        cut(LineCutter(), body)


@pytest.mark.parametrize(
    ("cutter", "body", "error"),
    [
        (ArrayCutter, b'{"messages":["' + b"x" * LARGEST_ITEM + b'"]}', PayloadTooLarge),
        (ArrayCutter, b'{"a":"' + b"x" * LARGEST_FRAME + b'"}', PayloadTooLarge),
        (ArrayCutter, b"[" + b"{}," * LARGEST_FRAME, PayloadTooLarge),
        (ArrayCutter, b'{"messages":[' + b"[]," * MOST_CONTAINERS, ValidationFailed),
        (ArrayCutter, b'{"messages":[1],"other":[2]}', ValidationFailed),
        (LineCutter, b"{}\n" + b"x" * (LARGEST_ITEM + 1), PayloadTooLarge),
        (LineCutter, b"x" * (LARGEST_FRAME + 1) + b"\n", PayloadTooLarge),
    ],
)
def test_what_is_held_is_bounded(
    cutter: type[ItemCutter], body: bytes, error: type[HexavoxError]
) -> None:
    with pytest.raises(error):
        cut(cutter(), body, 16 * KIB)


@pytest.mark.parametrize(
    "piece",
    [b"[", b"]", b"{", b"[]", b"{}", b'"', b'""', b'"\\', b"\\", b",", b'"a",', b"1,", b"\n", b" "],
)
@pytest.mark.parametrize("cutter", [ArrayCutter, LineCutter])
def test_no_text_is_dear_to_cut(cutter: type[ItemCutter], piece: bytes) -> None:
    slice_ = piece * (16 * KIB // len(piece))
    one = cutter()
    list(one.feed(b'{"messages":[' if cutter is ArrayCutter else b"{}\n{}"))
    worst = 0.0
    for _ in range(40):
        began = time.thread_time()
        try:
            list(one.feed(slice_))
        except HexavoxError:
            break
        worst = max(worst, time.thread_time() - began)
    assert worst < 0.25  # about 10 ms
