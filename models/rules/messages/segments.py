"""How many SMS segments a text takes (3GPP TS 23.038, TS 23.040).

Characters are packed greedily: an escape pair or a surrogate pair is never cut in two, so a text
may take one segment more than division would say.
"""

from dataclasses import dataclass

import smsutil

from models.enums import Encoding
from models.errors import MessageTooLong

MOST_SEGMENTS = 10
"""Of one message: 1,530 GSM-7 or 670 UCS-2 characters."""

_LONGEST_TEXT = 4 * 1530
"""Characters beyond which nothing needs to be counted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """How a text travels."""

    segments: int
    encoding: Encoding


def segment(text: str) -> Segmentation:
    """Count the segments of a text; raise MessageTooLong above MOST_SEGMENTS."""
    if len(text) > _LONGEST_TEXT:
        raise MessageTooLong(f"A message has at most {MOST_SEGMENTS} segments.")
    split = smsutil.split(text)
    count = len(split.parts)
    if count > MOST_SEGMENTS:
        raise MessageTooLong(f"{count} segments are needed, {MOST_SEGMENTS} are allowed.")
    gsm = smsutil.is_valid_gsm(text)
    return Segmentation(segments=count, encoding=Encoding.GSM_7 if gsm else Encoding.UCS_2)
