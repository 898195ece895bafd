"""The API is killed after the commit, or stopped: a retry finds the send, and nothing is lost."""

import asyncio

import httpx
import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("chaos")


async def test_retries_after_the_api_was_killed_amid_sends_make_one_message_of_each_key(
    harness: Harness, integrator: Integrator
) -> None:
    sends = {unique("key"): number() for _ in range(60)}

    async def attempt(key: str) -> str | None:
        try:
            return await integrator.accepted(sends[key], key=key)
        except httpx.TransportError:
            return None

    first = asyncio.gather(*(attempt(key) for key in sends))
    await until(lambda: _some_accepted(integrator), every=0.005)
    harness.stack.kill("api")
    before = dict(zip(sends, await first, strict=True))
    written = await _accepted(integrator)
    assert None in before.values(), "some were cut off"
    await asyncio.to_thread(harness.stack.start, "api")

    after = {key: await integrator.accepted(to, key=key) for key, to in sends.items()}

    assert written < await _accepted(integrator) == len(set(after.values())) == len(sends)
    assert all(after[key] == known for key, known in before.items() if known is not None)
    await integrator.all_ended()
    assert set(await harness.copies(sends.values())) == {1}
    assert await violations(integrator) == []


async def test_what_was_committed_but_never_started_is_sent_without_any_retry(
    harness: Harness, integrator: Integrator
) -> None:
    numbers = [number() for _ in range(60)]
    sends = asyncio.gather(*(integrator.send(to) for to in numbers), return_exceptions=True)
    await until(lambda: _some_accepted(integrator), every=0.005)
    harness.stack.kill("api")
    answers = await sends
    await asyncio.to_thread(harness.stack.start, "api")  # the API receives the reports

    await integrator.all_ended()
    written = await _accepted(integrator)
    answered = sum(isinstance(answer, httpx.Response) for answer in answers)
    copies = await harness.copies(numbers)
    assert answered <= written
    assert (sum(copies), max(copies)) == (written, 1)
    assert await violations(integrator) == []


async def test_an_api_that_is_stopped_starts_what_it_has_answered(
    harness: Harness, integrator: Integrator
) -> None:
    stack, numbers = harness.stack, [number() for _ in range(40)]
    await asyncio.to_thread(stack.stop, "api")
    usual = dict(stack.waits)
    stack.waits["HEXAVOX_START_WITHIN"] = "PT10M"  # the sweeper starts none of them
    try:
        await asyncio.to_thread(stack.start, "api")
    finally:
        stack.waits = usual
    await asyncio.gather(*(integrator.accepted(to) for to in numbers))
    await asyncio.to_thread(stack.stop, "api")
    await asyncio.to_thread(stack.start, "api")  # the API receives the reports

    await integrator.all_ended()
    assert set(await harness.copies(numbers)) == {1}
    assert await violations(integrator) == []


async def _accepted(integrator: Integrator) -> int:
    [(count,)] = await integrator.harness.rows(
        "SELECT count(*) FROM message WHERE tenant_id = :tenant", tenant=integrator.owner.tenant_id
    )
    return int(count)


async def _some_accepted(integrator: Integrator) -> bool:
    return await _accepted(integrator) > 0
