"""Runs a step the way a worker does: within the interceptor that counts its failures."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
)

from activities.poison import CountedFailures
from models.session import Database


class _Innermost(ActivityInboundInterceptor):
    """Runs the step itself."""

    def __init__(self) -> None:
        pass

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """Wrap nothing further."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await input.fn(*input.args)


async def counted(
    database: Database, name: str, body: Callable[[Any], Awaitable[Any]], step: object
) -> Any:
    """Run a step; return its result, or the error that Temporal is told."""
    chain = CountedFailures(database).intercept_activity(_Innermost())
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, activity_type=name)

    async def run() -> Any:
        return await chain.execute_activity(
            ExecuteActivityInput(fn=body, args=[step], executor=None, headers={})
        )

    try:
        return await environment.run(run)
    except ApplicationError as error:
        return error
