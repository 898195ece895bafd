"""What an inbound text asks for, and what it is answered with."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.enums import InboundKind

ANSWER_VALIDITY: Final = timedelta(minutes=5)
"""An answer that could not go out by then never does: later than five minutes a confirmation of
an opt-out is no longer presumed fine (47 CFR 64.1200(a)(12)), and help comes too late."""

MOST_ANSWERS: Final = 5
"""To one contact from one number within ANSWERS_WITHIN: two machines must not talk for ever."""

ANSWERS_WITHIN: Final = timedelta(hours=1)

_LONGEST_TEXT: Final = 2_000
"""In characters; ten segments hold 1,530. A longer text is no opt-out word, and is not searched."""

_MOST_WORDS: Final = 100
"""That an opt-out in polite words may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The words that ask for something, each in the form that `fold` gives it."""

    opt_out: frozenset[str]
    opt_in: frozenset[str]
    help: frozenset[str]

    def kind_of(self, folded: str) -> InboundKind:
        """Say what a whole text asks for; an opt-out goes before everything else."""
        if folded in self.opt_out:
            return InboundKind.OPT_OUT
        if folded in self.opt_in:
            return InboundKind.OPT_IN
        return InboundKind.HELP if folded in self.help else InboundKind.OTHER

    def besides(
        self, *, opt_out: Iterable[str], opt_in: Iterable[str], help: Iterable[str]
    ) -> "Keywords":
        """Return these words and further ones, given in any form."""
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
"""Words that change nothing about an opt-out: English, and French for the French word ARRET."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text asks for, and whether it is the bare word."""

    kind: InboundKind
    literal: bool = True
    """False: an opt-out in a person's own words, such as "please stop texting me"."""


def read_text(text: str, words: Keywords = BUILT_IN) -> Reading:
    """Say what a text asks for, by the whole of it.

    It is a word, in the form that `fold` gives it, or it consists of opt-out words and politeness
    alone. 47 CFR 64.1200(a)(10) asks to honor any reasonable means to opt out; a text with any
    other word ("don't stop", "cancel my appointment") is left to a person.
    """
    if len(text) > _LONGEST_TEXT:
        return Reading(InboundKind.OTHER)
    kind = words.kind_of(fold(text))
    if kind is InboundKind.OTHER and _is_polite_opt_out(text, words.opt_out):
        return Reading(InboundKind.OPT_OUT, literal=False)
    return Reading(kind)


def kind_of(text: str, words: Keywords = BUILT_IN) -> InboundKind:
    """Say what a text asks for, literally or in polite words."""
    return read_text(text, words).kind


def fold(text: str) -> str:
    """Return what counts of a text that is to be a word.

    Only letters, digits and the spaces between them count: case, punctuation, symbols, emoji,
    accents and how a letter is drawn (full-width, bold) do not. So "Stop.", "OPT-OUT" and "Arrêt !"
    are words.
    """
    return " ".join(_joined(chunk) for chunk in _decomposed(text).split() if _joined(chunk))


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


def _joined(chunk: str) -> str:
    return "".join(letter for letter in chunk if letter.isalnum())


def _is_polite_opt_out(text: str, opt_out: frozenset[str]) -> bool:
    """Say whether only opt-out words remain, and at least one, once politeness is taken out.

    Politeness may stand inside a phrase: "opt me out".
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
    """Return the words of a text; punctuation separates them unless it stands inside a known one.

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
    """Take phrases out, the longest first; return how many there were, and the words left."""
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
    """Return the source of an opt-out that was texted to a number; START there undoes these.

    It says whether the text was an opt-out word or was understood as one.
    """
    return f"sms:STOP:{number}" if literal else f"sms:STOP-UNDERSTOOD:{number}"


def is_stop_source(source: str | None, number: str) -> bool:
    """Say whether an opt-out was texted to a number."""
    return source in (stop_source(number), stop_source(number, literal=False))


def start_source(number: str) -> str:
    """Return the source of an opt-in that was texted to a number."""
    return f"sms:START:{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTexts:
    """What is registered with the campaign of a number: words beside ours, answers for ours."""

    keywords: Keywords
    opt_out_message: str
    opt_in_message: str | None
    """None where the campaign has no opt-in by text."""
    help_message: str


def answer_to(
    kind: InboundKind,
    name: str,
    help_text: str | None,
    *,
    support_contact: str | None = None,
    registered: CampaignTexts | None = None,
) -> str | None:
    """Return what a recipient is answered in the name of a merchant; None for an ordinary text.

    The answer registered with the number's campaign goes first, for carriers test for it; then the
    merchant's own `help_text`. `support_contact` is how recipients reach the merchant.
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
