"""Selects and formats the link targets that the text part of an e-mail shows."""

import re
from typing import Final
from urllib.parse import urljoin

_IGNORED_SCHEMES: Final = frozenset(
    {"about", "blob", "cid", "data", "file", "javascript", "mid", "vbscript"}
)
"""Schemes of targets that are meaningful only inside the HTML part."""

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE | re.ASCII)
_STRIPPED: Final = "".join(map(chr, range(0x21)))
_REMOVED: Final = dict.fromkeys((*range(0x20), 0x7F))
_ESCAPED: Final = {ord(" "): "%20", ord("<"): "%3C", ord(">"): "%3E"}

_LONGEST_BASE: Final = 2_000
_BASE_ADDS_AT_MOST: Final = 64 * 1024
"""Maximum characters that a base address may add to one text part in total."""

_LEAST_PREFIXES: Final = ("https://", "http://", "mailto:", "tel:", "sms:")


class Targets:
    """Formats the targets of one document, resolved against its base address if there is one."""

    def __init__(self) -> None:
        self._base = ""
        self._may_add = _BASE_ADDS_AT_MOST

    def set_base(self, href: str) -> None:
        """Set the address of a `<base>`; only the first one counts."""
        href = href.strip(_STRIPPED)
        if not self._base and len(href) <= _LONGEST_BASE and href.startswith(("https:", "http:")):
            self._base = href

    def written(self, href: str) -> str:
        """Return a target as shown in the text; empty if it leads nowhere."""
        target = href.strip(_STRIPPED).translate(_REMOVED)
        scheme = _SCHEME.match(target)
        if target.startswith("#") or (scheme and scheme[1].lower() in _IGNORED_SCHEMES):
            return ""
        if not scheme:
            target = self._absolute(target)
        return target.translate(_ESCAPED)

    def _absolute(self, target: str) -> str:
        if target.startswith("//"):
            return f"https:{target}"
        if not target or not self._base:
            return target
        try:
            absolute = urljoin(self._base, target)
        except ValueError:
            return target
        added = len(absolute) - len(target)
        if added > self._may_add:
            return target
        self._may_add -= max(added, 0)
        return absolute


def names_target(shown: str, target: str) -> bool:
    """Return whether the text of a link is its target."""
    shown = shown.strip()
    forms = {target}
    for prefix in _LEAST_PREFIXES:
        if target.lower().startswith(prefix):
            forms.add(target[len(prefix) :])
    if target.lower().startswith(("tel:", "sms:")):
        shown = re.sub(r"[\s().\-\u2011]", "", shown)
    return shown.rstrip("/") in {form.rstrip("/") for form in forms}
