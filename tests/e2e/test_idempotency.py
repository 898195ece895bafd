"""One Idempotency-Key is one action, from HTTP to the recipient."""

import asyncio
from collections import Counter

import pytest
from temporalio.client import Client

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("stack")


async def test_fifty_requests_at_once_under_one_key_are_one_message(
    harness: Harness, integrator: Integrator
) -> None:
    to, key = number(), unique("key")
    answers = await asyncio.gather(*(integrator.send(to, key=key) for _ in range(50)))

    assert Counter(answer.status_code for answer in answers) == {200: 50}
    ids = {answer.json()["messageId"] for answer in answers}
    assert len(ids) == 1
    replayed = Counter(answer.headers.get("Idempotency-Replayed") for answer in answers)
    assert replayed == {None: 1, "true": 49}

    message_id = ids.pop()
    view = await integrator.ended(message_id)
    assert (view["status"], view["attempts"], view["billedUnits"]) == ("DELIVERED", 1, 1)
    assert len(await harness.deliveries(to)) == 1
    assert await integrator.movements(message_id) == {"HOLD": (1, 0), "CAPTURE": (1, 0)}
    assert await violations(integrator) == []


async def test_a_retry_after_the_end_learns_the_final_state(
    harness: Harness, integrator: Integrator
) -> None:
    to, key = number(), unique("key")
    first = (await integrator.send(to, key=key)).json()
    await integrator.ended(first["messageId"])

    retry = await integrator.send(to, key=key)

    assert retry.headers["Idempotency-Replayed"] == "true"
    assert retry.json() == {**first, "status": "DELIVERED"}
    assert len(await harness.deliveries(to)) == 1
    assert await violations(integrator) == []


async def test_of_two_requests_at_once_under_one_key_one_is_sent_and_the_other_refused(
    harness: Harness, integrator: Integrator
) -> None:
    to, key = number(), unique("key")
    answers = await asyncio.gather(
        *(integrator.send(to, key=key, message=body) for body in ["one", "two"] * 10)
    )

    assert Counter(answer.status_code for answer in answers) == {200: 10, 422: 10}
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 422}
    assert refused == {"IDEMPOTENCY_KEY_REUSED"}
    await integrator.all_ended()
    assert len(await harness.deliveries(to)) == 1
    assert (await integrator.balances())["used"] == 1
    assert await violations(integrator) == []


async def test_a_key_in_quotes_is_the_key_without_them(
    harness: Harness, integrator: Integrator
) -> None:
    to, key = number(), unique("key")
    plain, quoted = [await integrator.accepted(to, key=form) for form in (key, f'"{key}"')]
    assert plain == quoted
    await integrator.ended(plain)
    assert len(await harness.deliveries(to)) == 1


async def test_a_key_of_255_characters_is_one_action_and_found_by_its_full_length(
    harness: Harness, integrator: Integrator, temporal_client: Client
) -> None:
    to = number()
    key = unique("key").ljust(255, "k")
    first, second = [await integrator.accepted(to, key=key) for _ in range(2)]
    assert first == second
    await integrator.ended(first)
    assert len(await harness.deliveries(to)) == 1

    workflow_id = await harness.workflow(temporal_client, integrator, first)
    assert "/sha256:" in workflow_id
    found = [run.id async for run in temporal_client.list_workflows(_by_key(key))]
    assert found == [workflow_id]


async def test_without_a_key_two_equal_sends_are_two_messages(
    harness: Harness, integrator: Integrator
) -> None:
    to = number()
    first, second = await asyncio.gather(integrator.accepted(to), integrator.accepted(to))
    assert first != second
    await integrator.all_ended()
    assert len(await harness.deliveries(to)) == 2
    assert (await integrator.balances())["used"] == 2
    assert await violations(integrator) == []


async def test_the_same_key_of_a_merchant_and_of_its_tenant_are_two_actions(
    harness: Harness, integrator: Integrator
) -> None:
    to, key = number(), unique("key")
    merchant = await integrator.merchant_key()
    mine, theirs = await asyncio.gather(
        integrator.accepted(to, key=key), merchant.accepted(to, key=key)
    )
    assert mine != theirs
    assert await integrator.accepted(to, key=key) == mine
    assert await merchant.accepted(to, key=key) == theirs
    await integrator.all_ended()
    assert len(await harness.deliveries(to)) == 2
    assert await violations(integrator) == []


def _by_key(key: str) -> str:
    return f"HexavoxIdempotencyKey = '{key}'"
