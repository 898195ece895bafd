"""Metrics of activities: a message that its dispatch has settled counts as ended."""

from typing import Any

import pytest
from prometheus_client import REGISTRY
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.system.observed import Observed
from models.enums import MessageStatus
from workflows.messages.types import DispatchResult, DispatchStep, SettleResult, Verdict


class Returning(ActivityInboundInterceptor):
    """Returns a result."""

    def __init__(self, result: object) -> None:
        self._result = result

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return self._result


def ended(status: MessageStatus) -> float:
    return REGISTRY.get_sample_value("hexavox_messages_ended_total", {"status": status}) or 0.0


@pytest.mark.parametrize(
    ("settled", "counted"),
    [
        (SettleResult(status=MessageStatus.DELIVERED, completed=True, moved=True), 1),
        (SettleResult(status=MessageStatus.DELIVERED, completed=True, moved=False), 0),
        (None, 0),
    ],
)
async def test_a_message_that_its_dispatch_has_settled_counts_as_ended(
    settled: SettleResult | None, counted: int
) -> None:
    result = DispatchResult(verdict=Verdict.ACCEPTED, reported=True, settled=settled)
    observing = Observed().intercept_activity(Returning(result))

    async def dispatch(step: DispatchStep) -> object:
        asked = ExecuteActivityInput(fn=dispatch, args=[step], executor=None, headers={})
        return await observing.execute_activity(asked)

    before = ended(MessageStatus.DELIVERED)
    step = DispatchStep(tenant_id=3, message_id=7)
    assert await ActivityEnvironment().run(dispatch, step) is result
    assert ended(MessageStatus.DELIVERED) - before == counted
