"""The form in which texts are compared with keywords."""

import unicodedata


def fold(text: str) -> str:
    """Return the form in which a text is compared with keywords.

    Only letters, digits and the spaces between them are kept. Case, punctuation, symbols, emoji,
    accents and the style of letters (full-width, bold) are ignored. So "Stop.", "OPT-OUT" and
    "Arrêt !" match keywords.
    """
    return " ".join(joined(chunk) for chunk in decomposed(text).split() if joined(chunk))


def decomposed(text: str) -> str:
    """Return a text case-folded and with accents as characters of their own."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


def joined(chunk: str) -> str:
    """Return the letters and digits of a chunk."""
    return "".join(letter for letter in chunk if letter.isalnum())
