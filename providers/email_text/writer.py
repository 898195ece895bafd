"""Writes the text of an HTML document from its start tags, end tags and text, without layout."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from providers.email_text.links import Targets, names_target

_PARAGRAPHS: Final = frozenset(
    {"blockquote", "dl", "fieldset", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p"}
    | {"pre", "ul"}
)
"""Elements separated by an empty line."""

_LINES: Final = frozenset(
    {"address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dt"}
    | {"figcaption", "footer", "form", "header", "legend", "li", "main", "menu", "nav", "option"}
    | {"section", "summary", "table", "tbody", "tfoot", "thead", "tr"}
)
"""Elements that start on a new line."""

_UNSEEN: Final = frozenset(
    {"iframe", "noembed", "noframes", "script", "style", "template", "title"}
)
"""Elements whose content is not displayed."""

_INVISIBLE: Final = dict.fromkeys(
    (*range(0x09), 0x0B, *range(0x0E, 0x20), 0x7F, 0xAD, 0x34F, 0x200B, 0x2060, 0xFEFF)
)
"""Control characters, and invisible ones that e-mails use to pad their preview."""

_STYLE_READ: Final = 2_000
"""Characters of a style attribute that are inspected to detect a hidden element."""

_COMPARED: Final = 64
"""A link's text is compared with its target if it is at most this many characters longer."""

_LONGEST_NUMBER: Final = 6
"""Maximum digits of the first number of a list."""


@dataclass(frozen=True, slots=True)
class _Link:
    """An open link: its target, and the length of the text when it began."""

    target: str
    parts: int
    size: int


class _Row(Enum):
    """Content of the current row of a table."""

    EMPTY = 0
    ONE_LINE = 1
    SEVERAL_LINES = 2


class TextWriter:
    """Collects text in time and size linear in the document.

    No element adds more characters than its tag has, except for link targets with the base address,
    and list numbers, which `numbered` omits.
    """

    def __init__(self, *, numbered: bool = True) -> None:
        self._numbered = numbered
        self._targets = Targets()
        self._parts: list[str] = []
        self._size = 0
        self._newlines = 0
        self._gap = ""
        self._bullet = ""
        self._hidden = 0
        """Depth within a hidden element."""
        self._preformatted = 0
        self._rows: list[_Row] = []
        """The current row of every open table."""
        self._in_line = False
        """The current cell continues the line of the previous one and has no text yet."""
        self._lists: list[int | None] = []
        """The next number of every open list; None for bullet lists."""
        self._links: list[_Link] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element. `end` is called for every element, also for void ones."""
        if self._hidden or tag in _UNSEEN or _is_hidden(attributes):
            self._hidden += 1
            return
        if tag == "table":  # a table within a cell has lines of its own
            self._in_line = False
        self._break(tag)
        self._begin_block(tag)
        self._begin_content(tag, attributes)

    def _begin_block(self, tag: str) -> None:
        match tag:
            case "br":
                self._newlines = min(self._newlines + 1, 2)
            case "table":
                self._rows.append(_Row.EMPTY)
            case "tr":
                self._set_row(_Row.EMPTY)
            case "td" | "th":
                self._begin_cell()
            case "pre":
                self._preformatted += 1
            case _:
                pass

    def _begin_content(self, tag: str, attributes: Mapping[str, str]) -> None:
        match tag:
            case "a":
                target = self._targets.written(attributes.get("href", ""))
                self._links.append(_Link(target, len(self._parts), self._size))
            case "ol" | "ul" | "menu":
                self._lists.append(_first_number(attributes) if tag == "ol" else None)
            case "li":
                self._bullet = self._next_bullet()
            case "base":
                self._targets.set_base(attributes.get("href", ""))
            case "img" | "area" | "input":
                self._replaced(tag, attributes)
            case _:
                pass

    def end(self, tag: str) -> None:
        """End an element."""
        if self._hidden:
            self._hidden -= 1
            return
        if tag == "a":
            if self._links:
                self._close_link(self._links.pop())
        elif tag in ("ol", "ul", "menu"):
            if self._lists:
                self._lists.pop()
        elif tag == "li":
            self._bullet = ""
        elif tag == "pre":
            self._preformatted = max(self._preformatted - 1, 0)
        elif tag == "table":
            self._in_line = False
            if self._rows:
                self._rows.pop()
            self._set_row(_Row.SEVERAL_LINES)
        self._break(tag)

    def data(self, text: str) -> None:
        """Take text between tags."""
        if self._hidden:
            return
        text = text.translate(_INVISIBLE)
        if self._preformatted:
            self._preformatted_data(text)
            return
        words = text.split()
        if not words:
            self._gap = self._gap or (" " if text else "")
            return
        if text[0].isspace():
            self._gap = self._gap or " "
        self._write(" ".join(words))
        if text[-1].isspace():
            self._gap = " "

    def finish(self) -> str:
        """Return the collected text."""
        return "".join(self._parts).strip()

    def _begin_cell(self) -> None:
        """Continue the line of the previous cells, unless they contain blocks of text."""
        self._gap = "\t"
        if self._rows and self._rows[-1] is _Row.ONE_LINE:
            self._newlines, self._in_line = 0, True

    def _set_row(self, row: _Row) -> None:
        self._in_line = False
        if self._rows:
            self._rows[-1] = row

    def _break(self, tag: str) -> None:
        if self._in_line:
            return
        if tag in _PARAGRAPHS:
            # A nested list is not a separate paragraph.
            nested = tag in ("ol", "ul") and bool(self._lists)
            self._newlines = max(self._newlines, 1 if nested else 2)
        elif tag in _LINES:
            self._newlines = max(self._newlines, 1)

    def _write(self, text: str) -> None:
        if self._rows and self._rows[-1] is _Row.EMPTY:
            self._rows[-1] = _Row.ONE_LINE
        elif self._newlines:
            self._set_row(_Row.SEVERAL_LINES)
        self._in_line = False
        if self._parts:
            self._append("\n" * self._newlines or self._gap)
        self._append(self._bullet)
        self._append(text)
        self._newlines, self._gap, self._bullet = 0, "", ""

    def _append(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self._size += len(text)

    def _preformatted_data(self, text: str) -> None:
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
            if number:
                self._newlines += 1
            if line.strip():
                self._write(line)
            elif line:
                self._gap = line

    def _replaced(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Write the text alternative of an image, an image map area or a button."""
        word = attributes.get("alt", "")
        if tag == "input":
            kind = attributes.get("type", "").lower()
            if kind in ("button", "reset", "submit"):
                word = attributes.get("value", "")
            elif kind != "image":
                return
        word = " ".join(word.translate(_INVISIBLE).split())
        mark = _Link(
            self._targets.written(attributes.get("href", "")), len(self._parts), self._size
        )
        if word:
            self._gap = self._gap or " "
            self._write(word)
            self._gap = " "
        if tag == "area":
            self._close_link(mark)

    def _close_link(self, link: _Link) -> None:
        """Append a link's target to its text, unless the text is the target."""
        written = self._size - link.size
        if not link.target:
            return
        if not written:
            self._write(link.target)
            return
        if written <= len(link.target) + _COMPARED and names_target(
            "".join(self._parts[link.parts :]), link.target
        ):
            return
        self._append(f" <{link.target}>")

    def _next_bullet(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "- "
        self._lists[-1] = number + 1
        return f"{number}. " if self._numbered else "- "


def _first_number(attributes: Mapping[str, str]) -> int:
    start = attributes.get("start", "").strip()
    if start.isascii() and start.isdigit() and len(start) <= _LONGEST_NUMBER:
        return int(start)
    return 1


def _is_hidden(attributes: Mapping[str, str]) -> bool:
    """Return whether an element is hidden, such as the preview text of an e-mail."""
    if "hidden" in attributes:
        return True
    style = attributes.get("style")
    if not style:
        return False
    written = [rule.partition(":") for rule in style[:_STYLE_READ].lower().split(";")]
    rules = {name.strip(): value.partition("!")[0].strip() for name, _, value in written}
    if rules.get("display") == "none" or rules.get("visibility") == "hidden":
        return True
    cut_off = any(rules.get(name) in ("0", "0px") for name in ("height", "max-height"))
    return (cut_off and rules.get("overflow") == "hidden") or rules.get("opacity") == "0"
