"""Fakes of workflow steps: scripted answers, and a record of the inputs."""

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import isawaitable
from typing import Any, TypeVar, cast, overload

from temporalio import activity
from temporalio.exceptions import ApplicationError

from models.enums import ErrorCode, MessageStatus
from workflows.messages.types import (
    DispatchResult,
    Finding,
    PollResult,
    ReconcileResult,
    SettleResult,
    Verdict,
)

Step = TypeVar("Step")
Result = TypeVar("Result")
Activity = Callable[..., Awaitable[Any]]

ACCEPTED = DispatchResult(verdict=Verdict.ACCEPTED, provider="simulator", attempt=1)
ACCEPTED_AND_REPORTED = DispatchResult(
    verdict=Verdict.ACCEPTED, provider="simulator", attempt=1, reported=True
)
AMBIGUOUS = DispatchResult(verdict=Verdict.AMBIGUOUS, provider="simulator", attempt=1)
REFUSED = DispatchResult(
    verdict=Verdict.REFUSED,
    provider="simulator",
    attempt=1,
    error_code=ErrorCode.BAD_DESTINATION,
)
BLOCKED = DispatchResult(verdict=Verdict.BLOCKED, error_code=ErrorCode.CONSENT_OPTED_OUT)
OVER = DispatchResult(verdict=Verdict.OVER)
LATER = DispatchResult(verdict=Verdict.LATER)

FOUND = ReconcileResult(finding=Finding.FOUND)
FOUND_AND_REPORTED = ReconcileResult(finding=Finding.FOUND, reported=True)
ABSENT = ReconcileResult(finding=Finding.ABSENT)
UNCERTAIN = ReconcileResult(finding=Finding.UNCERTAIN)

SILENT = PollResult(reported=False)
TOLD = PollResult(reported=True)

DELIVERED = SettleResult(status=MessageStatus.DELIVERED, completed=True)
FAILED = SettleResult(status=MessageStatus.FAILED, completed=True)
CANCELED = SettleResult(status=MessageStatus.CANCELED, completed=True)
UNKNOWN = SettleResult(status=MessageStatus.UNKNOWN, completed=True)
NOT_YET = SettleResult(status=MessageStatus.SENT, completed=False)


@overload
def fake(
    step: Callable[[], Awaitable[Result]],
    *answers: Result | Exception | Callable[[], Result | Awaitable[Result]],
    repeat_last: bool = False,
) -> tuple[Activity, list[None]]: ...
@overload
def fake(
    step: Callable[[Step], Awaitable[Result]],
    *answers: Result | Exception | Callable[[Step], Result | Awaitable[Result]],
    repeat_last: bool = False,
) -> tuple[Activity, list[Step]]: ...
def fake(
    step: Callable[..., Awaitable[Any]], *answers: Any, repeat_last: bool = False
) -> tuple[Activity, list[Any]]:
    """Return an activity with the step's name, and the list of its inputs.

    An answer is a value to return, an exception to raise, or a function of the step's input that
    returns either. With `repeat_last` the last one is repeated; otherwise a call too many fails the
    workflow non-retryably, so that no test waits for it.
    """
    name = name_of(step)
    asked: list[Any] = []

    async def answer(*inputs: Any) -> Any:
        turn = len(asked)
        asked.append(inputs[0] if inputs else None)
        if turn >= len(answers) and not (repeat_last and answers):
            raise ApplicationError(
                f"{name} was asked {turn + 1} times, the test has {len(answers)} answers",
                type="UnexpectedCall",
                non_retryable=True,
            )
        given = answers[min(turn, len(answers) - 1)]
        if callable(given):
            given = given(*inputs)
            given = await given if isawaitable(given) else given
        if isinstance(given, Exception):
            raise given
        return given

    # Without __dict__, which holds the step's own definition. The wrapped signature gives the
    # types.
    return activity.defn(name=name)(wraps(step, updated=())(answer)), asked


def name_of(step: Callable[..., Any]) -> str:
    """Return the Temporal name of a step or its fake."""
    definition = activity._Definition.must_from_callable(step)
    return cast(str, definition.name)
