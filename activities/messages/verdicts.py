"""What the workflow does after a call: the result of a dispatch whose outcome is stored."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from activities.messages.account_choice import may_another_follow, past_attempts
from activities.messages.claimed import Claimed
from models.enums import AttemptState
from models.queries.messages.conclude import Concluded
from providers.ports.messages import Answer, MessageProvider, NotProcessed, Refused
from providers.routing import PastAttempt, Routes
from workflows.messages.types import DispatchResult, Verdict

_BACK_OFF_FIRST = timedelta(seconds=1)
_BACK_OFF_LONGEST = timedelta(minutes=5)


def verdict_of(
    routes: Routes,
    claimed: Claimed,
    answer: Answer,
    concluded: Concluded,
    *,
    unavailable: Collection[str] = (),
) -> DispatchResult:
    """Return the result; the stored outcome decides, which a report may have settled earlier.

    `unavailable` are accounts that can't take the message now: it does not go to them at once.
    """
    account, number = claimed.provider.account, claimed.number
    match concluded.state:
        case AttemptState.ACCEPTED:
            return DispatchResult(
                verdict=Verdict.ACCEPTED,
                provider=account,
                attempt=number,
                # Of an account that reports nothing no report is awaited.
                reported=concluded.reported or not claimed.provider.reports_delivery,
            )
        case AttemptState.REFUSED if isinstance(answer, Refused):
            return _after_refusal(routes, claimed, answer)
        case AttemptState.NOT_PROCESSED if isinstance(answer, NotProcessed):
            return DispatchResult(
                verdict=Verdict.LATER,
                provider=account,
                attempt=number,
                until=_next_try(routes, claimed, answer, unavailable),
            )
        case _:
            return DispatchResult(verdict=Verdict.AMBIGUOUS, provider=account, attempt=number)


def _after_refusal(routes: Routes, claimed: Claimed, answer: Refused) -> DispatchResult:
    """Use the next account, unless it would refuse as well."""
    final = answer.everywhere or _following(routes, claimed, AttemptState.REFUSED) is None
    return DispatchResult(
        verdict=Verdict.REFUSED if final else Verdict.LATER,
        provider=claimed.provider.account,
        attempt=claimed.number,
        error_code=answer.error_code if final else None,
    )


def _next_try(
    routes: Routes, claimed: Claimed, answer: NotProcessed, unavailable: Collection[str]
) -> datetime | None:
    """Retry at once with an account that has fewer attempts, else back off."""
    unable = {*unavailable, *claimed.skipped}
    following = _following(routes, claimed, AttemptState.NOT_PROCESSED, unable)
    if following is not None and following is not claimed.provider:
        return None
    growing: timedelta = _BACK_OFF_FIRST * (1 << min(claimed.number - 1, 9))
    wait = max(min(growing, _BACK_OFF_LONGEST), answer.retry_after or timedelta(0))
    return datetime.now(UTC) + wait


def _following(
    routes: Routes, claimed: Claimed, state: AttemptState, unavailable: Collection[str] = ()
) -> MessageProvider | None:
    past = past_attempts(claimed.found)
    past.append(PastAttempt(account=claimed.provider.account, state=state))
    return may_another_follow(routes, claimed.found, past, unavailable)
