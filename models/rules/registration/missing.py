"""Lists the remaining steps before a merchant may send to US numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.rules.registration.vocabulary import AssignmentState as A
from models.rules.registration.vocabulary import NumberState as N
from models.rules.registration.vocabulary import NumberType
from models.rules.registration.vocabulary import RegistrationState as R


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberWords:
    """State of a number that matters for sending."""

    type: NumberType
    state: N
    assignment: A | None


def may_send(brand: R | None, campaigns: Sequence[R], numbers: Sequence[NumberWords]) -> bool:
    """Return whether brand and campaign are approved and a number is assigned to the campaign."""
    return brand is R.APPROVED and R.APPROVED in campaigns and any(map(_sends, numbers))


def missing(
    brand: R | None, campaigns: Sequence[R], numbers: Sequence[NumberWords]
) -> Sequence[str]:
    """Return the missing steps, the next one first; none if the merchant may send."""
    return [
        *_of_brand(brand),
        *_of_campaigns(campaigns),
        *_of_numbers([n for n in numbers if n.type is NumberType.LOCAL]),
    ]


def _of_brand(brand: R | None) -> Iterator[str]:
    match brand:
        case None:
            yield "Register a brand: POST …/messaging/brand."
        case R.DRAFT:
            yield "Submit the brand: it is a draft. POST it again without submit:false."
        case R.PENDING:
            yield "Wait for the brand: the registry has not decided yet."
        case R.REJECTED:
            yield "Correct the brand as its reasons say, and POST it again."
        case R.APPROVED:
            pass


def _of_campaigns(campaigns: Sequence[R]) -> Iterator[str]:
    if R.APPROVED in campaigns:
        return
    if R.PENDING in campaigns:
        yield "Wait for the campaign: the registry has not decided yet."
    elif R.REJECTED in campaigns:
        yield "Correct the campaign as its reasons say, and POST it again with its campaignId."
    elif R.DRAFT in campaigns:
        yield "Submit the campaign: it is a draft. POST it again with its campaignId."
    else:
        yield "Register a campaign once the brand is approved: POST …/messaging/campaigns."


def _of_numbers(numbers: Sequence[NumberWords]) -> Iterator[str]:
    if any(map(_sends, numbers)):
        return
    active = [number for number in numbers if number.state is N.ACTIVE]
    if not active:
        if any(number.state is N.REQUESTED for number in numbers):
            yield "Wait for the number: it is being bought."
        else:
            yield "Buy a local number: GET …/messaging/numbers/available, POST …/messaging/numbers."
    if any(number.assignment is A.PENDING for number in active):
        yield "Wait for the assignment of the number to its campaign."
    else:
        yield "Assign the number to an approved campaign: POST …/numbers/{number}/assignment."


def _sends(number: NumberWords) -> bool:
    return number.state is N.ACTIVE and number.assignment is A.ASSIGNED
