"""Recognizes keywords in inbound texts, and returns the answers to them."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.enums import InboundKind

ANSWER_VALIDITY: Final = timedelta(minutes=5)
"""Validity of an answer. A confirmation of an opt-out is presumed permitted only within five
minutes (47 CFR 64.1200(a)(12)), and help is useless later.
"""

MOST_ANSWERS: Final = 5
"""To one contact from one number within ANSWERS_WITHIN, to stop loops between two machines."""

ANSWERS_WITHIN: Final = timedelta(hours=1)

_LONGEST_TEXT: Final = 2_000
"""In characters; ten segments hold 1,530. A longer text is not searched for an opt-out."""

_MOST_WORDS: Final = 100
"""Limit for an opt-out with polite words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The keywords by meaning, each in the form that `fold` returns."""

    opt_out: frozenset[str]
    opt_in: frozenset[str]
    help: frozenset[str]

    def kind_of(self, folded: str) -> InboundKind:
        """Return the meaning of a folded text; opt-out takes precedence."""
        if folded in self.opt_out:
            return InboundKind.OPT_OUT
        if folded in self.opt_in:
            return InboundKind.OPT_IN
        return InboundKind.HELP if folded in self.help else InboundKind.OTHER

    def besides(
        self, *, opt_out: Iterable[str], opt_in: Iterable[str], help: Iterable[str]
    ) -> "Keywords":
        """Return these keywords plus further ones, which are folded first."""
        return Keywords(
            opt_out=self.opt_out.union(map(fold, opt_out)),
            opt_in=self.opt_in.union(map(fold, opt_in)),
            help=self.help.union(map(fold, help)),
        )


BUILT_IN: Final = Keywords(
    opt_out=frozenset(
        {
            "stop",
            "stopall",
            "quit",
            "end",
            "revoke",
            "optout",
            "opt out",
            "cancel",
            "unsubscribe",
            "remove",
            "arret",
        }
    ),
    opt_in=frozenset({"start", "yes", "unstop"}),
    help=frozenset({"help", "info"}),
)

_POLITE: Final = frozenset(
    {
        *("please", "pls", "plz", "thanks", "thx", "thankyou", "now", "i", "want", "to", "from"),
        *("texting", "messaging", "sending", "text", "texts", "message", "messages"),
        *("me", "us", "the", "all", "this"),
        *("svp", "stp", "merci"),
    }
)
_POLITE_PHRASES: Final = (("thank", "you"), ("sil", "vous", "plait"), ("sil", "te", "plait"))
"""Polite words that do not change an opt-out: English, and French for the French keyword ARRET."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning of a text, and whether it is exactly a keyword."""

    kind: InboundKind
    literal: bool = True
    """False: an opt-out in other words, such as "please stop texting me"."""


def read_text(text: str, words: Keywords = BUILT_IN) -> Reading:
    """Return the meaning of a whole text.

    The text must be a keyword in the form that `fold` returns, or consist of opt-out keywords and
    polite words only. 47 CFR 64.1200(a)(10) requires honoring any reasonable means to opt out; a
    text with any other word ("don't stop", "cancel my appointment") is left to a person.
    """
    if len(text) > _LONGEST_TEXT:
        return Reading(InboundKind.OTHER)
    kind = words.kind_of(fold(text))
    if kind is InboundKind.OTHER and _is_polite_opt_out(text, words.opt_out):
        return Reading(InboundKind.OPT_OUT, literal=False)
    return Reading(kind)


def kind_of(text: str, words: Keywords = BUILT_IN) -> InboundKind:
    """Return the meaning of a text, as a keyword or in polite words."""
    return read_text(text, words).kind


def fold(text: str) -> str:
    """Return the form in which a text is compared with keywords.

    Only letters, digits and the spaces between them are kept. Case, punctuation, symbols, emoji,
    accents and the style of letters (full-width, bold) are ignored. So "Stop.", "OPT-OUT" and
    "Arrêt !" match keywords.
    """
    return " ".join(_joined(chunk) for chunk in _decomposed(text).split() if _joined(chunk))


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


def _joined(chunk: str) -> str:
    return "".join(letter for letter in chunk if letter.isalnum())


def _is_polite_opt_out(text: str, opt_out: frozenset[str]) -> bool:
    """Return whether a text consists of polite words and at least one opt-out keyword.

    Polite words may be inside a phrase: "opt me out".
    """
    phrases = [tuple(word.split()) for word in opt_out]
    known = _POLITE.union(*phrases, *_POLITE_PHRASES)
    parts = _parts(text, known)
    if len(parts) > _MOST_WORDS or not known.issuperset(parts):
        return False
    polite = [*_POLITE_PHRASES, *((word,) for word in _POLITE)]
    found, rest = _take_out(parts, phrases)
    _, rest = _take_out(rest, polite)
    more, rest = _take_out(rest, phrases)
    return found + more > 0 and not rest


def _parts(text: str, known: frozenset[str]) -> list[str]:
    """Return the words of a text; punctuation separates them unless it is inside a known word.

    So "stop,please" is two words, "S.T.O.P." and "un-subscribe" are one.
    """
    parts: list[str] = []
    for chunk in _decomposed(text).split():
        if (joined := _joined(chunk)) in known:
            parts.append(joined)
            continue
        spaced = "".join(
            letter if letter.isalnum() else " "
            for letter in chunk
            if not unicodedata.combining(letter)
        )
        parts.extend(spaced.split())
    return parts


def _take_out(
    parts: Sequence[str], phrases: Sequence[tuple[str, ...]]
) -> tuple[int, Sequence[str]]:
    """Remove phrases, the longest first; return their number and the remaining words."""
    by_length = sorted(phrases, key=len, reverse=True)
    count, at, rest = 0, 0, []
    while at < len(parts):
        here = tuple(parts[at : at + len(by_length[0])])
        found = next((phrase for phrase in by_length if here[: len(phrase)] == phrase), None)
        if found is None:
            rest.append(parts[at])
        count += found is not None
        at += 1 if found is None else len(found)
    return count, rest


def stop_source(number: str, *, literal: bool = True) -> str:
    """Return the source of an opt-out by a text to a number; START to that number undoes it.

    It shows whether the text was a keyword or was understood as an opt-out.
    """
    return f"sms:STOP:{number}" if literal else f"sms:STOP-UNDERSTOOD:{number}"


def is_stop_source(source: str | None, number: str) -> bool:
    """Return whether a source is an opt-out by a text to this number."""
    return source in (stop_source(number), stop_source(number, literal=False))


def start_source(number: str) -> str:
    """Return the source of an opt-in by a text to a number."""
    return f"sms:START:{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTexts:
    """Texts registered with a number's campaign: more keywords, and answers that replace ours."""

    keywords: Keywords
    opt_out_message: str
    opt_in_message: str | None
    """None if the campaign has no opt-in by text."""
    help_message: str


def answer_to(
    kind: InboundKind,
    name: str,
    help_text: str | None,
    *,
    support_contact: str | None = None,
    registered: CampaignTexts | None = None,
) -> str | None:
    """Return the answer to a text on behalf of a merchant; None for OTHER.

    The answer registered with the number's campaign takes precedence, because carriers test for it;
    then the merchant's own `help_text`. `support_contact` is how recipients reach the merchant.
    """
    match kind:
        case InboundKind.OPT_OUT:
            return (registered and registered.opt_out_message) or (
                f"{name}: You have opted out and will receive no more messages from us. "
                "Reply START to opt back in."
            )
        case InboundKind.OPT_IN:
            return (registered and registered.opt_in_message) or (
                f"{name}: You have opted back in. Reply HELP for help, STOP to opt out."
            )
        case InboundKind.HELP:
            return (
                (registered and registered.help_message)
                or help_text
                or (
                    f"{name}: You get messages from us at this number. For help, please contact "
                    f"{support_contact or name}. Reply STOP to opt out."
                )
            )
        case InboundKind.OTHER:
            return None
