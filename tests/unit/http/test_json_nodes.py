"""Counting the values of a JSON text without building them."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.bodies.json_nodes import MOST_NODES, has_too_many_nodes

MIB = 1024 * 1024

TRICKY = st.text(alphabet='",:[]{}\\ \n\tabж😀\u0000', max_size=12)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TRICKY,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TRICKY, inner, max_size=6),
    max_leaves=60,
)


def count(document: Any) -> int:
    """Count by parsing."""
    inner = document.values() if isinstance(document, dict) else document
    return 1 + (sum(map(count, inner)) if isinstance(document, dict | list) else 0)


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 0, 2]))
def test_the_count_is_exact_whatever_the_strings_hold(
    document: Any, escaped: bool, indent: int | None
) -> None:
    text = json.dumps(document, ensure_ascii=escaped, indent=indent).encode()
    nodes = count(document)
    assert not has_too_many_nodes(text, nodes)
    assert has_too_many_nodes(text, nodes - 1)


@pytest.mark.parametrize(
    "piece", [b"[]", b"{}", b"1", b'""', b'{"":1}', b'"a,b"', b'"\\""', b"[ ]"]
)
def test_the_limit_is_where_it_is_said_to_be(piece: bytes) -> None:
    each = 2 if b":" in piece else 1
    fits = b"[" + b",".join([piece] * ((MOST_NODES - 1) // each)) + b"]"
    assert not has_too_many_nodes(fits)
    assert has_too_many_nodes(fits[:-1] + b"," + piece + b",1]")


@pytest.mark.parametrize(
    "piece", [b"[]", b'""', b'{"":1}', b",", b"[", b"{", b'"', b"\\", b'\\"', b'"\\', b",[", b' ,"']
)
def test_no_text_is_dear_to_count(piece: bytes) -> None:
    text = b'{"a":"' + piece * (4 * MIB // len(piece))
    began = time.process_time()
    has_too_many_nodes(text)
    # About 40 ms at most; building the values of the worst takes 700.
    assert time.process_time() - began < 0.5
