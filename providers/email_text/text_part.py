"""Makes the text part of an e-mail from its HTML, in time and memory linear in its size."""

import html as entities
import re
import time
from collections.abc import Iterator
from typing import Final

from lxml import etree

from providers.email_text.writer import TextWriter

QUICK: Final = 16 * 1024
"""Characters of HTML that are converted within a few milliseconds, whatever their content."""

_SLICE: Final = 512
"""Characters per call of the parser, so that other threads run in between."""

_BUDGET: Final = 1.0
"""Seconds of CPU after which the parser is stopped: it compares each stray end tag with all open
elements.
"""

_PATIENCE: Final = 3.0
"""Seconds of wall-clock time after which it is stopped on a busy machine; an activity has 12."""


class _TooSlow(Exception):
    """The parser exceeded its time."""


def text_part(html: str) -> str:
    """Return the text of an HTML document with its link targets; empty if there is none.

    The text is at most as long as the document and its link targets. Layout is ignored. If the
    parser fails, a simple scan is used. The call may take seconds of CPU: run it in a thread for
    more than `QUICK` characters. Other threads can run all the time.
    """
    html = html.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    try:
        text = _parsed(html, numbered=True)
        if len(text) > len(html):
            text = _parsed(html, numbered=False)
    except Exception:  # any parser error: the message still gets a text part
        text = scanned(html)
    return text


def _parsed(html: str, *, numbered: bool) -> str:
    writer = TextWriter(numbered=numbered)
    # huge_tree: otherwise content nested more than 256 levels deep is lost. No tree is built.
    parser = etree.HTMLParser(target=_Target(writer), huge_tree=True)
    ends, at_the_latest = time.thread_time() + _BUDGET, time.monotonic() + _PATIENCE
    for begin in range(0, len(html), _SLICE):
        parser.feed(html[begin : begin + _SLICE])
        if time.thread_time() > ends or time.monotonic() > at_the_latest:
            raise _TooSlow
    parser.close()
    return writer.finish()


class _Target:
    """Passes the parser's events to the writer."""

    def __init__(self, writer: TextWriter) -> None:
        self.start = writer.start
        self.end = writer.end
        self.data = writer.data

    def comment(self, text: str) -> None:
        """Ignore a comment."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Ignore a processing instruction."""

    def close(self) -> None:
        """End of the document; the text is read from the writer."""


_TAG: Final = re.compile(
    r"<(?:(?P<comment>!--)|(?P<end>/)?(?P<tag>[a-z][a-z0-9]*)(?P<rest>[^<>]*)>?|[!?][^<>]*>?)",
    re.IGNORECASE,
)
_ATTRIBUTE: Final = re.compile(
    r"\b(href|alt)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE
)
_RAW_ENDS: Final = {
    tag: re.compile(f"</{tag}", re.IGNORECASE) for tag in ("script", "style", "title")
}
_ENDLESS: Final = re.compile(r"&#(?:[0-9]{8,}|x[0-9a-f]{7,});?", re.IGNORECASE)
"""Invalid character references; the standard library fails on one of thousands of digits."""

_VOID: Final = frozenset({"area", "base", "br", "hr", "img", "input"})


def scanned(html: str) -> str:
    """Return the text of a document by scanning its tags in order, without checking nesting."""
    writer = TextWriter(numbered=False)
    for token in _tokens(html):
        if isinstance(token, str):
            writer.data(_unescaped(token))
            continue
        tag = token["tag"].lower()
        if token["end"]:
            writer.end(tag)
            continue
        attributes = {
            found[1].lower(): _unescaped(found[2] or found[3] or found[4] or "")
            for found in _ATTRIBUTE.finditer(token["rest"])
        }
        if tag == "a":
            writer.end("a")  # closes an open link, as in a browser
        writer.start(tag, attributes)
        if tag in _VOID:
            writer.end(tag)
    writer.end("a")
    return writer.finish()


def _unescaped(text: str) -> str:
    return entities.unescape(_ENDLESS.sub("\N{REPLACEMENT CHARACTER}", text))


def _tokens(html: str) -> Iterator[str | re.Match[str]]:
    """Yield text and tags, without comments, scripts and styles."""
    at = 0
    while at < len(html):
        found = _TAG.search(html, at)
        if found is None:
            yield html[at:]
            return
        if found.start() > at:
            yield html[at : found.start()]
        at = found.end()
        tag = (found["tag"] or "").lower()
        if found["comment"]:
            end = html.find("-->", at)
            at = len(html) if end < 0 else end + 3
        elif tag in _RAW_ENDS and not found["end"]:
            raw = _RAW_ENDS[tag].search(html, at)
            at = len(html) if raw is None else raw.start()
        elif tag and tag not in _RAW_ENDS:
            yield found
