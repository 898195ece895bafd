"""The text part of an e-mail costs little time and memory, whatever its HTML."""

import re
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.email_text.text_part import QUICK, scanned, text_part

_BODY = 128 * 1024
"""A quarter of the longest body; the cost is linear."""


def filled(part: str) -> str:
    return part * (_BODY // len(part))


NASTY = {
    "one wide cell beside many rows": "<table><tr><td>"
    + "lorem ipsum " * 18300
    + "</td></tr>"
    + "<tr><td>b</td></tr>" * 2200
    + "</table>",
    "padding": '<div style="padding-left:99999em">' + "x<br>" * 1000 + "</div>",
    "more padding": '<div style="padding-left:99999em">' + "x<br>" * 100_000 + "</div>",
    "nested quotes": filled("<blockquote>x"),
    "nested lists": filled("<ul><li>x"),
    "nested numbers": filled("<ol start=999999><li>x"),
    "numbers": "<ol start=999999>" + "<li>x" * 100_000,
    "nested tables": filled("<table><tr><td>x"),
    "nested preformatted": filled("<pre>\n x"),
    "never closed": filled("<b>x"),
    "paragraphs": filled("<p>x"),
    "closed otherwise": "<b>" * (_BODY // 8) + "</i>" * (_BODY // 8) + "end",
    "links": filled("<a href=u>x"),
    "links in tables": filled("<a href=u>x<table>"),
    "long links": ("<a href=" + "u" * 5000 + ">x</a>") * 100,
    "a long base": "<base href=https://x.example/" + "b" * 1900 + "/>" + "<a href=u>x</a>" * 30_000,
    "attributes": "<a " + "".join(f"a{i}=1 " for i in range(60_000)) + ">x</a>",
    "an attribute": '<a href="' + "x" * _BODY + '">y</a>',
    "an open attribute": filled("<a href='"),
    "less than": filled("<"),
    "tags cut off": filled("<a"),
    "comments cut off": filled("<!--"),
    "scripts cut off": "<script>" + filled("</scrip"),
    "references": filled("&amp"),
    "a long reference": "&#" + "9" * _BODY,
    "a reference of two characters": filled("&nGt;"),
    "styles": filled("<i style='a:b;c:d;e:f'>x"),
    "spaces": " " * _BODY,
    "lines": "<pre>" + "\n" * _BODY,
    "emoji": filled("😀x<br>"),
}


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("convert", [text_part, scanned])
def test_no_html_takes_long_or_makes_much(name: str, convert: Callable[[str], str]) -> None:
    html = NASTY[name]
    began = time.thread_time()
    text = convert(html)
    assert time.thread_time() - began < 5  # 0.3 s; with layout, the first took minutes
    assert len(text) <= len(html) + 64 * 1024


@pytest.mark.parametrize("name", ["more padding", "nested tables", "attributes", "a long base"])
def test_no_html_takes_much_memory(name: str) -> None:
    tracemalloc.start()
    text_part(NASTY[name][: 32 * 1024])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * 1024 * 1024


@pytest.mark.parametrize("name", NASTY)
def test_what_is_converted_at_once_takes_no_time(name: str) -> None:
    html = NASTY[name][:QUICK]
    began = time.thread_time()
    text_part(html)
    assert time.thread_time() - began < 0.5  # 12 ms; the limit is 50


def test_what_the_parser_takes_too_long_for_is_said_nevertheless() -> None:
    stray = "<b>" * 65_000 + "</i>" * 65_000
    assert text_part(stray + "<a href=https://x.example>end</a>") == "end <https://x.example>"


@pytest.mark.parametrize("tag", ["div", "b", "table><tr><td", "ul><li", "blockquote"])
def test_nothing_is_lost_however_deep(tag: str) -> None:
    html = f"<{tag}>" * 100_000 + "<a href=https://x.example>deep</a>"
    assert text_part(html).removeprefix("- ") == "deep <https://x.example>"


_PIECES = st.sampled_from(
    """
    <p> </p> <br> <b> </b> <td> <tr> <table> </table> <ul> <ol> <ol\xa0start=99999> <li> </li> </ol>
    <pre> </pre> <hr> <h1> <div> <a\xa0href=u> <a\xa0href='//x'> <a\xa0href='\xa0<<>>\xa0'> </a>
    <img\xa0alt=x> <img\xa0alt='a\xa0b'> <input\xa0type=submit\xa0value=y> <q\xa0hidden>
    <i\xa0style=display:none> </i> <script> </script> <!-- --> &amp; &lt &#65; &nGt; < > x é
    <textarea> <title> <select> <option> <area\xa0alt=m\xa0href=n> <x ' " /> \xa0
    """.replace("\n", " ").split(" ")
).map(lambda piece: piece.replace("\xa0", " "))


@given(html=st.lists(_PIECES | st.text(max_size=8), max_size=60).map("".join))
def test_a_text_part_is_no_longer_than_the_body_and_its_targets(html: str) -> None:
    for text in (text_part(html), scanned(html.replace("\0", ""))):
        targets = sum(map(len, re.findall(r"<([^<>\s]+)>", text)))
        assert len(text) <= len(html) + targets
        assert "\0" not in text
        text.encode("utf-8", "surrogatepass")
