"""Counts the SMS segments of a text (3GPP TS 23.038, TS 23.040, 9.2.3.24.1).

A segment has 140 octets. With several segments, 6 octets of each are the concatenation header. An
escape pair or a surrogate pair is never split over two segments, so a text may need one segment
more than division suggests.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from models.enums import Encoding
from models.errors import MessageTooLong
from models.rules.messages.gsm7 import EXTENSION, is_gsm7

MOST_SEGMENTS = 10
"""Per message: 1,530 GSM-7 or 670 UCS-2 characters."""

_LONGEST_TEXT = 4 * 1530
"""Longer texts are rejected without counting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Number of segments and encoding of a text."""

    segments: int
    encoding: Encoding


def segment(text: str) -> Segmentation:
    """Count the segments of a text; raises MessageTooLong above MOST_SEGMENTS."""
    if len(text) > _LONGEST_TEXT:
        raise MessageTooLong(f"must have at most {MOST_SEGMENTS} segments")
    if is_gsm7(text):
        encoding, alone, each = Encoding.GSM_7, 160, 153
        sizes = [2 if character in EXTENSION else 1 for character in text]
    else:
        encoding, alone, each = Encoding.UCS_2, 70, 67
        sizes = [2 if character > "\uffff" else 1 for character in text]
    count = 1 if sum(sizes) <= alone else _packed(sizes, each)
    if count > MOST_SEGMENTS:
        raise MessageTooLong(f"needs {count} segments, and {MOST_SEGMENTS} are allowed")
    return Segmentation(segments=count, encoding=encoding)


def _packed(sizes: Iterable[int], each: int) -> int:
    """Return how many segments hold characters of these sizes, in order and unsplit."""
    segments, free = 0, 0
    for size in sizes:
        if size > free:
            segments, free = segments + 1, each
        free -= size
    return segments
