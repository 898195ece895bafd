"""Makes the text part of an e-mail from its HTML, in time and memory linear in its size."""

import html as entities
import re
import time
from collections.abc import Iterator
from typing import Final

from lxml import etree

from providers.email_text.writer import TextWriter

QUICK: Final = 16 * 1024
"""Characters of HTML that are converted in a few milliseconds, whatever they are."""

_SLICE: Final = 512
"""Characters fed to the parser at once, so that others run in between."""

_BUDGET: Final = 1.0
"""Seconds of CPU after which the parser is given up: it compares each stray end tag with all open
elements."""

_PATIENCE: Final = 3.0
"""Seconds of the clock after which it is given up on a busy machine: a step has 12."""


class _TooSlow(Exception):
    """The parser used up its time."""


def text_part(html: str) -> str:
    """Return what an HTML document says, with the targets of its links; empty if it says nothing.

    The text is at most as long as the document and its link targets. Layout is ignored. What the
    parser cannot read is read by a simple scan. It may take seconds of CPU: more than `QUICK`
    characters belong into a thread. It lets other threads run all the time.
    """
    html = html.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    try:
        text = _parsed(html, numbered=True)
        if len(text) > len(html):
            text = _parsed(html, numbered=False)
    except Exception:  # whatever is wrong with it, a message is sent with a text part
        text = scanned(html)
    return text


def _parsed(html: str, *, numbered: bool) -> str:
    writer = TextWriter(numbered=numbered)
    # huge_tree: else what is nested more than 256 levels deep is lost. No tree is made.
    parser = etree.HTMLParser(target=_Target(writer), huge_tree=True)
    ends, at_the_latest = time.thread_time() + _BUDGET, time.monotonic() + _PATIENCE
    for begin in range(0, len(html), _SLICE):
        parser.feed(html[begin : begin + _SLICE])
        if time.thread_time() > ends or time.monotonic() > at_the_latest:
            raise _TooSlow
    parser.close()
    return writer.finish()


class _Target:
    """What the parser tells, handed to the writer."""

    def __init__(self, writer: TextWriter) -> None:
        self.start = writer.start
        self.end = writer.end
        self.data = writer.data

    def comment(self, text: str) -> None:
        """Ignore a comment."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Ignore a processing instruction."""

    def close(self) -> None:
        """End; the text is asked of the writer."""


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
"""References to no character; the standard library fails on one of thousands of digits."""

_VOID: Final = frozenset({"area", "base", "br", "hr", "img", "input"})


def scanned(html: str) -> str:
    """Return what a document says by looking at one tag after the other, whatever their order."""
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
            writer.end("a")  # an open one ends here, as in a browser
        writer.start(tag, attributes)
        if tag in _VOID:
            writer.end(tag)
    writer.end("a")
    return writer.finish()


def _unescaped(text: str) -> str:
    return entities.unescape(_ENDLESS.sub("\N{REPLACEMENT CHARACTER}", text))


def _tokens(html: str) -> Iterator[str | re.Match[str]]:
    """Yield text and tags; comments, scripts and styles are left out."""
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
