"""The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1)."""

from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each: 127 characters. The 128th code is the escape (U+001B), not a character."""

EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""Two septets each: the escape and a code of the extension table."""

ALPHABET: Final = BASIC | EXTENSION


def is_gsm7(text: str) -> bool:
    """Return whether every character of a text is in the alphabet or its extension."""
    return ALPHABET.issuperset(text)
