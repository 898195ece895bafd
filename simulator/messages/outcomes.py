"""The outcome table: numbers and addresses with their outcomes.

It corresponds to SIMULATOR.md line by line. A row is data; `carrier` (is it accepted?), `timeline`
(what happens to it?) and `answers` (what is the response?) interpret it.
"""

from dataclasses import dataclass
from enum import Enum, auto

from simulator.messages.vocabulary import Channel, Code


class Answer(Enum):
    """The response to a submission."""

    ACCEPTED = auto()
    REFUSED = auto()
    RATE_LIMITED = auto()
    SERVER_ERROR = auto()
    SILENCE = auto()
    RESET = auto()


class DeliveryOutcome(Enum):
    """How the delivery of an accepted message ends."""

    DELIVERED = auto()
    UNDELIVERED = auto()
    BUSY = auto()
    NO_ANSWER = auto()
    FAILED = auto()
    BOUNCED = auto()
    BOUNCED_ONCE = auto()
    COMPLAINED = auto()


class Reporting(Enum):
    """How the delivery is reported to the callback URL."""

    IN_ORDER = auto()
    TWICE = auto()
    LAST_FIRST = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row of the table; the defaults are the row "anything not below".

    Attributes:
        answer: the response to the submission.
        code: error code of a refusal or of an undelivered message.
        first_only: fail once per number and send nothing, then succeed once, then start again.
        pause_seconds: delay before the carrier accepts.
        conceals_end: a look-up never shows a final status.
        talk_seconds: duration of an answered call, if its maximum permits.
    """

    answer: Answer = Answer.ACCEPTED
    code: Code | None = None
    first_only: bool = False
    pause_seconds: float = 0.0
    delivery: DeliveryOutcome = DeliveryOutcome.DELIVERED
    reporting: Reporting = Reporting.IN_ORDER
    conceals_end: bool = False
    talk_seconds: int = 30


ORDINARY = Outcome()

NUMBERS: dict[str, Outcome] = {
    "9001": Outcome(delivery=DeliveryOutcome.UNDELIVERED, code=Code.UNREACHABLE),
    "9002": Outcome(answer=Answer.REFUSED, code=Code.BAD_DESTINATION),
    "9003": Outcome(answer=Answer.RATE_LIMITED, first_only=True),
    "9004": Outcome(answer=Answer.SILENCE),
    "9005": Outcome(answer=Answer.SILENCE, first_only=True),
    "9006": Outcome(answer=Answer.SERVER_ERROR),
    "9007": Outcome(answer=Answer.SERVER_ERROR, first_only=True),
    "9008": Outcome(reporting=Reporting.TWICE),
    "9009": Outcome(reporting=Reporting.LAST_FIRST),
    "9010": Outcome(reporting=Reporting.NEVER),
    "9011": Outcome(reporting=Reporting.NEVER, conceals_end=True),
    "9012": Outcome(pause_seconds=1.5),
    "9013": Outcome(answer=Answer.RESET),
    "9014": Outcome(answer=Answer.REFUSED, code=Code.OPTED_OUT),
}
"""Last four digits of `to`, for SMS and voice alike."""

CALLS: dict[str, Outcome] = {
    "9101": Outcome(delivery=DeliveryOutcome.BUSY),
    "9102": Outcome(delivery=DeliveryOutcome.NO_ANSWER),
    "9103": Outcome(delivery=DeliveryOutcome.FAILED, code=Code.CALL_FAILED),
    **{f"92{nn:02d}": Outcome(talk_seconds=nn * 10) for nn in range(100)},
}
"""Last four digits of `to` that apply to voice only."""

MAILBOXES: dict[str, Outcome] = {
    "bounce": Outcome(delivery=DeliveryOutcome.BOUNCED),
    "soft-bounce": Outcome(delivery=DeliveryOutcome.BOUNCED_ONCE),
    "complaint": Outcome(delivery=DeliveryOutcome.COMPLAINED),
    "refused": Outcome(answer=Answer.REFUSED, code=Code.BAD_DESTINATION),
    "timeout-sent": Outcome(answer=Answer.SILENCE),
    "timeout-lost": Outcome(answer=Answer.SILENCE, first_only=True),
}
"""Local part of an e-mail address."""

_VOICE = NUMBERS | CALLS


def outcome_for(channel: Channel, address: str) -> Outcome:
    """Return the row of a destination; addresses without a row have the default outcome."""
    match channel:
        case Channel.SMS:
            return NUMBERS.get(address[-4:], ORDINARY)
        case Channel.VOICE:
            return _VOICE.get(address[-4:], ORDINARY)
        case Channel.EMAIL:
            return MAILBOXES.get(address.partition("@")[0].lower(), ORDINARY)
