"""Recognizes opt-outs in polite words, such as "please stop texting me".

A clear keyword may have all polite words around it. An ambiguous one ("the end", "I want to
cancel") may have only courtesies around it, unless the text names the messages ("quit texting me")
or asks to remove the recipient ("remove me from your list"). One that is registered with a campaign
may have only please and thanks around it: "NO, I want this" is no opt-out.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from models.rules.consent.folding import decomposed, joined

Phrase: TypeAlias = tuple[str, ...]

CLEAR: Final = frozenset({"stop", "stopall", "unsubscribe", "optout", "opt out", "arret"})
AMBIGUOUS: Final = frozenset({"cancel", "end", "quit", "remove", "revoke"})
"""The built-in opt-out keywords, in the form that `fold` returns."""


def _phrases(words: Iterable[str]) -> frozenset[Phrase]:
    return frozenset(tuple(word.split()) for word in words)


_THANKS: Final = _phrases(
    {
        *("please", "pls", "plz", "thanks", "thx", "thankyou", "thank you"),
        *("svp", "stp", "merci", "sil vous plait", "sil te plait"),
    }
)
"""English, and French for the French keyword ARRET."""

_COURTESIES: Final = _THANKS | _phrases({"now"})

_MESSAGES: Final = frozenset(
    {"texting", "messaging", "contacting", "texts", "messages", "sms", "msgs"}
)
"""Words after which an ambiguous keyword is about our messages: "quit texting me"."""

_POLITE: Final = (
    _COURTESIES
    | _phrases(_MESSAGES)
    | _phrases(
        {
            *("i", "you", "want", "to", "from", "of", "and", "me", "us", "my", "your", "all"),
            *("sending", "receiving", "getting", "text", "message", "msg", "number", "list"),
            *("the", "it", "this", "these", "those"),
        }
    )
)

_NOUN: Final = frozenset({("my", "stop"), ("your", "stop"), ("stop", "number"), ("stop", "list")})
"""Words in which "stop" is a bus stop and not a request."""

_MY_NUMBER: Final = frozenset({("my", "number"), ("this", "number"), ("your", "list")})
"""Words after which REMOVE is about the recipient, like "me" and "us"."""

_MOST_WORDS: Final = 100


def is_polite_opt_out(text: str, *, registered: frozenset[str]) -> bool:
    """Return whether a text consists of polite words and at least one opt-out keyword.

    Polite words may be inside a phrase: "opt me out". `registered` are further keywords.
    """
    clear, ambiguous, further = _phrases(CLEAR), _phrases(AMBIGUOUS), _phrases(registered)
    every = clear | ambiguous | further
    known = frozenset().union(*every, *_POLITE)
    parts = _parts(text, known)
    if len(parts) > _MOST_WORDS or not known.issuperset(parts):
        return False
    return (
        _consists(parts, every, _THANKS)
        or _consists(parts, clear | ambiguous, _COURTESIES)
        or (
            _consists(parts, clear, _POLITE | ambiguous | further)
            and _NOUN.isdisjoint(pairwise(parts))
        )
        or (_consists(parts, ambiguous, _POLITE) and _is_about_us(parts))
    )


def _is_about_us(parts: Sequence[str]) -> bool:
    """Return whether a text asks to remove the recipient, or names our messages."""
    if "remove" in parts:
        return not {"me", "us"}.isdisjoint(parts) or not _MY_NUMBER.isdisjoint(pairwise(parts))
    return not _MESSAGES.isdisjoint(parts)


def _consists(parts: Sequence[str], keywords: frozenset[Phrase], polite: frozenset[Phrase]) -> bool:
    """Return whether a text has at least one of the keywords, and else only polite phrases."""
    found, rest = _take_out(parts, keywords)
    _, rest = _take_out(rest, polite)
    more, rest = _take_out(rest, keywords)
    return found + more > 0 and not rest


def _parts(text: str, known: frozenset[str]) -> list[str]:
    """Return the words of a text; punctuation separates them unless it is inside a known word.

    So "stop,please" is two words, "S.T.O.P." and "un-subscribe" are one.
    """
    parts: list[str] = []
    for chunk in decomposed(text).split():
        if (word := joined(chunk)) in known:
            parts.append(word)
            continue
        spaced = "".join(
            letter if letter.isalnum() else " "
            for letter in chunk
            if not unicodedata.combining(letter)
        )
        parts.extend(spaced.split())
    return parts


def _take_out(parts: Sequence[str], phrases: Iterable[Phrase]) -> tuple[int, Sequence[str]]:
    """Remove phrases, the longest first; return their number and the remaining words."""
    by_length = sorted(filter(None, phrases), key=len, reverse=True)
    count, at, rest = 0, 0, []
    while at < len(parts):
        found = next((it for it in by_length if tuple(parts[at : at + len(it)]) == it), None)
        if found is None:
            rest.append(parts[at])
        count += found is not None
        at += 1 if found is None else len(found)
    return count, rest
