"""Recognizes keywords in inbound texts, and returns the answers to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.enums import InboundKind
from models.rules.consent.folding import fold
from models.rules.consent.polite_opt_outs import AMBIGUOUS, CLEAR, is_polite_opt_out

ANSWER_VALIDITY: Final = timedelta(minutes=5)
"""Validity of an answer. A confirmation of an opt-out is presumed permitted only within five
minutes (47 CFR 64.1200(a)(12)), and help is useless later.
"""

MOST_ANSWERS: Final = 5
"""To one contact from one number within ANSWERS_WITHIN, to stop loops between two machines."""

ANSWERS_WITHIN: Final = timedelta(hours=1)

_LONGEST_TEXT: Final = 2_000
"""In characters; ten segments hold 1,530. A longer text is not searched for an opt-out."""


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
        """Return these keywords plus registered ones, which are folded first."""
        return Keywords(
            opt_out=self.opt_out | _folded(opt_out),
            opt_in=self.opt_in | _folded(opt_in),
            help=self.help | _folded(help),
        )


def _folded(words: Iterable[str]) -> frozenset[str]:
    """Return folded keywords, without those that have no letter or digit."""
    return frozenset(filter(None, map(fold, words)))


BUILT_IN: Final = Keywords(
    opt_out=CLEAR | AMBIGUOUS,
    opt_in=frozenset({"start", "yes", "unstop"}),
    help=frozenset({"help", "info"}),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning of a text, and whether it is exactly a keyword."""

    kind: InboundKind
    literal: bool = True
    """False: an opt-out in other words, such as "please stop texting me"."""


def read_text(text: str, words: Keywords = BUILT_IN) -> Reading:
    """Return the meaning of a whole text.

    The text must be a keyword in the form that `fold` returns, or consist of opt-out keywords and
    polite words only; `polite_opt_outs` says which words are polite for which keyword.
    47 CFR 64.1200(a)(10) requires honoring any reasonable means to opt out; a text with any other
    word ("don't stop", "cancel my appointment") is left to a person.
    """
    if len(text) > _LONGEST_TEXT:
        return Reading(InboundKind.OTHER)
    kind = words.kind_of(fold(text))
    if kind is InboundKind.OTHER and is_polite_opt_out(
        text, registered=words.opt_out - BUILT_IN.opt_out
    ):
        return Reading(InboundKind.OPT_OUT, literal=False)
    return Reading(kind)


def kind_of(text: str, words: Keywords = BUILT_IN) -> InboundKind:
    """Return the meaning of a text, as a keyword or in polite words."""
    return read_text(text, words).kind


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
    opt_out_message: str | None = None
    opt_in_message: str | None = None
    """None if the campaign has no opt-in by text."""
    help_message: str | None = None
    """All messages are None if the campaign was never approved."""


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
