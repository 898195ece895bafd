"""Types of texts that people read or hear; each requires a visible character."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

from api.schemas.patterns import ONE_LINE, SPEECH

_INVISIBLE: Final = (
    r"\s\x00-\x1f\x7f-\xa0\xad"
    # Default_Ignorable_Code_Point (Unicode Character Database), and Braille without dots.
    r"\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_VISIBLE: Final = re.compile(f"[^{_INVISIBLE}]")
_INVISIBLE_RUN: Final = re.compile(f"[{_INVISIBLE}]+")
_SEARCHED: Final = 512 * 1024
"""Characters of the longest accepted text (an e-mail's body): 10 ms, where 4 MiB take 80."""


def _says_something(text: str) -> str:
    if not _VISIBLE.search(text, 0, _SEARCHED):
        raise ValueError("must hold a visible character, such as a letter or an emoji")
    return text


def has_invisible(text: str) -> bool:
    """Return whether a text holds white space, a control or an invisible character."""
    return _INVISIBLE_RUN.search(text) is not None


def visible_length(least: int) -> AfterValidator:
    """Return what refuses a text of fewer characters, runs of invisible ones counted as one."""

    def check(text: str) -> str:
        if len(_INVISIBLE_RUN.sub(" ", text).strip()) < least:
            raise ValueError(f"must have at least {least} characters besides white space")
        return text

    return AfterValidator(check)


Visible = AfterValidator(_says_something)
"""Refuses text that has only white space and invisible characters."""

OneLine = Annotated[str, StringConstraints(min_length=1, pattern=ONE_LINE), Visible]
"""A name or a subject."""

Speech = Annotated[str, StringConstraints(min_length=1, pattern=SPEECH), Visible]
"""A text that is spoken."""
