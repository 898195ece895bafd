"""What an inbound text asks for, and what it is answered with."""

import unicodedata
from datetime import timedelta
from typing import Final

from models.enums import InboundKind

ANSWER_VALIDITY: Final = timedelta(minutes=5)
"""An answer that could not go out by then never does: later than five minutes a confirmation of
an opt-out is no longer presumed fine (47 CFR 64.1200(a)(12)), and help comes too late."""

MOST_ANSWERS: Final = 5
"""To one contact from one number within ANSWERS_WITHIN: two machines must not talk for ever."""

ANSWERS_WITHIN: Final = timedelta(hours=1)

_OPT_OUT: Final = (
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
)
_OPT_IN: Final = ("start", "yes", "unstop")
_HELP: Final = ("help", "info")

_KINDS: Final[dict[str, InboundKind]] = {
    **dict.fromkeys(_OPT_OUT, InboundKind.OPT_OUT),
    **dict.fromkeys(_OPT_IN, InboundKind.OPT_IN),
    **dict.fromkeys(_HELP, InboundKind.HELP),
}


def kind_of(text: str) -> InboundKind:
    """Say what a text asks for, by the whole of it.

    Only letters, digits and the spaces between them count: case, punctuation, symbols, emoji,
    accents and how a letter is drawn (full-width, bold) do not. So "Stop.", "OPT-OUT" and "Arrêt !"
    are words, "please stop" is not.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    spaced = "".join(" " if letter.isspace() else letter for letter in plain if _counts(letter))
    return _KINDS.get(" ".join(spaced.split()), InboundKind.OTHER)


def _counts(letter: str) -> bool:
    return letter.isalnum() or letter.isspace()


def stop_source(number: str) -> str:
    """Return the source of an opt-out that was texted to a number; START there undoes these."""
    return f"sms:STOP:{number}"


def start_source(number: str) -> str:
    """Return the source of an opt-in that was texted to a number."""
    return f"sms:START:{number}"


def answer_to(kind: InboundKind, name: str, help_text: str | None) -> str | None:
    """Return what a recipient is answered in the name of a merchant; None for an ordinary text."""
    match kind:
        case InboundKind.OPT_OUT:
            return (
                f"{name}: You have opted out and will receive no more messages from us. "
                "Reply START to opt back in."
            )
        case InboundKind.OPT_IN:
            return f"{name}: You have opted back in. Reply HELP for help, STOP to opt out."
        case InboundKind.HELP:
            return help_text or (
                f"{name}: You get messages from us at this number. For help, please contact "
                f"{name}. Reply STOP to opt out."
            )
        case InboundKind.OTHER:
            return None
