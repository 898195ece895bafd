"""The number of segments of a text: greedy packing, never by division (FIELD.md §3.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import Encoding
from models.errors import MessageTooLong
from models.rules.messages.segments import MOST_SEGMENTS, Segmentation, segment

EXTENSION = "^{}\\[~]|€\f"
GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
GSM += "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

VECTORS = [
    ("a" * 152 + "€" + "a" * 152, 3, Encoding.GSM_7),
    ("€" * 153, 3, Encoding.GSM_7),
    ("я" * 66 + "😀" + "я" * 66, 3, Encoding.UCS_2),
    ("😀" * 67, 3, Encoding.UCS_2),
    ("a" * 160, 1, Encoding.GSM_7),
    ("a" * 161, 2, Encoding.GSM_7),
    ("a" * 306, 2, Encoding.GSM_7),
    ("a" * 307, 3, Encoding.GSM_7),
    ("€" * 80, 1, Encoding.GSM_7),
    ("€" * 81, 2, Encoding.GSM_7),
    ("я" * 70, 1, Encoding.UCS_2),
    ("я" * 71, 2, Encoding.UCS_2),
    ("😀" * 35, 1, Encoding.UCS_2),
    ("😀" * 36, 2, Encoding.UCS_2),
    ("a" * 1530, 10, Encoding.GSM_7),
    ("я" * 670, 10, Encoding.UCS_2),
    ("€" * 760, 10, Encoding.GSM_7),
    ("a", 1, Encoding.GSM_7),
]


def width(character: str, encoding: Encoding) -> int:
    """Return the septets or UTF-16 units of one character."""
    if encoding is Encoding.GSM_7:
        return 2 if character in EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


def packed(text: str, encoding: Encoding) -> list[str]:
    """Pack greedily, by an independent implementation: the oracle."""
    single, several = (160, 153) if encoding is Encoding.GSM_7 else (70, 67)
    if sum(width(character, encoding) for character in text) <= single:
        return [text]
    parts, room = [""], several
    for character in text:
        if width(character, encoding) > room:
            parts.append("")
            room = several
        parts[-1] += character
        room -= width(character, encoding)
    return parts


@pytest.mark.parametrize(("text", "segments", "encoding"), VECTORS)
def test_every_known_text_takes_what_the_carrier_counts(
    text: str, segments: int, encoding: Encoding
) -> None:
    assert segment(text) == Segmentation(segments=segments, encoding=encoding)


@pytest.mark.parametrize("text", ["a" * 1531, "я" * 671, "a" * 1600, "€" * 761, "a" * 1_000_000])
def test_more_than_ten_segments_are_too_long(text: str) -> None:
    with pytest.raises(MessageTooLong):
        segment(text)


@pytest.mark.parametrize("character", ["`", "ç", "“", "–", "…", "’", "\t", "\x1b", "я", "😀"])
def test_one_character_outside_the_alphabet_turns_the_whole_text(character: str) -> None:
    assert segment("a" * 70 + character).encoding is Encoding.UCS_2
    assert segment("a" * 70 + character).segments == 2


def test_every_character_of_the_alphabet_travels_in_seven_bits() -> None:
    assert {segment(character).encoding for character in GSM + EXTENSION} == {Encoding.GSM_7}


@given(st.text(alphabet=GSM + EXTENSION, min_size=1, max_size=900))
def test_septets_are_packed_greedily(text: str) -> None:
    parts = packed(text, Encoding.GSM_7)
    assert "".join(parts) == text
    assert segment(text) == Segmentation(segments=len(parts), encoding=Encoding.GSM_7)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_utf_16_units_are_packed_greedily(text: str) -> None:
    parts = packed("я" + text, Encoding.UCS_2)
    assert segment("я" + text) == Segmentation(segments=len(parts), encoding=Encoding.UCS_2)


@given(st.text(alphabet=GSM + EXTENSION + "я😀", min_size=1, max_size=600))
def test_greedy_is_never_less_than_division_and_hardly_more(text: str) -> None:
    found = segment(text)
    single, several = (160, 153) if found.encoding is Encoding.GSM_7 else (70, 67)
    units = sum(width(character, found.encoding) for character in text)
    least = 1 if units <= single else -(-units // several)
    # A part wastes one unit at most: when a surrogate pair does not fit.
    most = 1 if units <= single else -(-units // (several - 1))
    assert least <= found.segments <= most <= MOST_SEGMENTS + 10
