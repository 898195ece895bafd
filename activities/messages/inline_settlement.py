"""Settles a message within its dispatch step, as soon as its report is stored.

Most reports arrive while the dispatch waits for them. Another local activity would cost a worker
two milliseconds of CPU time beside the settlement itself.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias

from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    Ending,
    SettleResult,
    SettleStep,
    Verdict,
)

log = logging.getLogger(__name__)

Settle: TypeAlias = Callable[[SettleStep], Awaitable[SettleResult]]

_WITHIN: Final = 4.0
"""Limit in seconds, which must be left of the dispatch's own budget. After it the workflow's own
step settles the message.
"""


async def settle_inline(
    settle: Settle,
    step: DispatchStep,
    result: DispatchResult,
    ends: float,
    *,
    within: float = _WITHIN,
) -> DispatchResult:
    """Settle a message whose report is stored or that gets none, and note it in the result.

    Any failure is left to the workflow's step `settle`, which is retried and counted. Safe to run
    twice, as that step is. `ends` is the end of the dispatch, in seconds of the monotonic clock.
    """
    if result.verdict is not Verdict.ACCEPTED or not result.reported:
        return result
    if ends - time.monotonic() < within:
        return result
    try:
        async with asyncio.timeout(within):
            settled = await settle(
                SettleStep(
                    tenant_id=step.tenant_id,
                    message_id=step.message_id,
                    ending=Ending.REPORTED,
                    merchant_id=step.merchant_id,
                    public_id=step.public_id,
                )
            )
    except Exception as error:
        log.warning("a message was not settled inline", extra={"reason": type(error).__name__})
        return result
    if not settled.completed:  # reports of other recipients are outstanding
        return result
    return replace(result, settled=settled)
