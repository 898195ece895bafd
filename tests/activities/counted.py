"""Runs a step inside the interceptor that counts its failures, as a worker does."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
)

from activities.messages.reconcile import Reconciliation
from activities.messages.settle import Settlement
from activities.system.step_failures import CountedFailures
from models.enums import Channel, DeliveryMode
from models.session import Database
from providers.routing import Routes
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.factories import Owner, make_message, new_message
from workflows.messages.types import DispatchStep, Ending, ReconcileStep, SettleStep


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
    """Run a step; return its result, or the error that Temporal gets."""
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


class Counted(Harness):
    """A harness whose steps run inside the interceptor."""

    def __init__(self, database: Database, owner: Owner, provider: Scripted) -> None:
        provider.channels = frozenset(Channel)
        super().__init__(database, owner, provider)
        routes = Routes([provider], {DeliveryMode.SIMULATOR: [provider.name]})
        self.truth = Reconciliation(database, routes)
        self.ledger = Settlement(database, routes)

    async def taken(self, channel: Channel, details: dict[str, Any]) -> int:
        message = replace(new_message(self.owner), channel=channel, details=details)
        return await make_message(self.database, message)

    def ids(self, message_id: int) -> dict[str, int]:
        return {"tenant_id": self.owner.tenant_id, "message_id": message_id}

    async def hand_over(self, message_id: int) -> Any:
        step = DispatchStep(
            tenant_id=self.owner.tenant_id,
            message_id=message_id,
            merchant_id=self.owner.merchant_id,
        )
        return await counted(self.database, "dispatch", self.dispatching.dispatch, step)

    async def ask(self, message_id: int) -> Any:
        step = ReconcileStep(**self.ids(message_id))
        return await counted(self.database, "reconcile", self.truth.reconcile, step)

    async def end(self, message_id: int) -> Any:
        step = SettleStep(
            tenant_id=self.owner.tenant_id,
            message_id=message_id,
            merchant_id=self.owner.merchant_id,
            ending=Ending.BLOCKED,
        )
        return await counted(self.database, "settle", self.ledger.settle, step)

    async def failures(self, message_id: int) -> list[tuple[str, int, str]]:
        found = await self.rows(
            "SELECT step, failures, reason FROM step_failure"
            " WHERE tenant_id = :t AND message_id = :m ORDER BY step",
            message_id,
        )
        return [(row.step, row.failures, row.reason) for row in found]

    async def change(self, statement: str, message_id: int) -> None:
        async with self.database.transaction() as db:
            await db.execute(text(statement), {"t": self.owner.tenant_id, "m": message_id})
