"""Maps decisions and provider answers to attempt states, log lines and workflow results."""

import logging
from collections.abc import Collection
from typing import assert_never

from models.enums import AttemptState
from models.queries.messages.dispatch import Dispatchable
from models.rules.messages.dispatch_decision import Decision, DispatchAction
from providers.ports.messages import Accepted, Ambiguous, Answer, NotProcessed, Refused
from workflows.messages.types import DispatchResult, Verdict

log = logging.getLogger(__name__)


def state_of(answer: Answer) -> AttemptState:
    """Return the attempt's state after a provider's answer."""
    match answer:
        case Accepted():
            return AttemptState.ACCEPTED
        case Refused():
            return AttemptState.REFUSED
        case NotProcessed():
            return AttemptState.NOT_PROCESSED
        case Ambiguous():
            return AttemptState.AMBIGUOUS
        case _:
            assert_never(answer)


def log_answer(answer: Answer, *, account: str, attempt: int) -> None:
    """Log an answer for operators; an accepted message is not logged."""
    facts = {"attempt": attempt, "account": account}
    match answer:
        case Accepted():
            pass
        case Refused():
            log.info(
                "provider refused the message",
                extra={**facts, "provider_code": answer.provider_code},
            )
        case NotProcessed():
            log.warning(
                "provider did not process the message", extra={**facts, "reason": answer.reason}
            )
        case Ambiguous():
            log.warning(
                "answer of the provider lost, reconciling", extra={**facts, "reason": answer.reason}
            )
        case _:
            assert_never(answer)


def without_claim(
    decision: Decision, found: Dispatchable, silent: Collection[str]
) -> DispatchResult:
    """Return the workflow's result when no attempt is made.

    No report of the `silent` accounts is awaited.
    """
    match decision.action:
        case DispatchAction.OVER:
            return DispatchResult(verdict=Verdict.OVER)
        case DispatchAction.REPORT:
            unreported = any(
                a.state is AttemptState.ACCEPTED and a.account in silent for a in found.attempts
            )
            return DispatchResult(verdict=Verdict.ACCEPTED, reported=found.reported or unreported)
        case DispatchAction.RECONCILE:
            return DispatchResult(verdict=Verdict.AMBIGUOUS)
        case DispatchAction.WAIT:
            return DispatchResult(verdict=Verdict.LATER, until=decision.until)
        case DispatchAction.BLOCK:
            return DispatchResult(verdict=Verdict.BLOCKED, error_code=decision.error_code)
        case DispatchAction.CLAIM:
            raise AssertionError("a claim is made by the caller")
        case _:
            assert_never(decision.action)
