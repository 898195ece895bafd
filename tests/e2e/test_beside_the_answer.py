"""The workflow of a send starts beside its answer; what happens meanwhile changes nothing."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("stack")


async def test_a_message_canceled_right_after_its_answer_is_not_sent_and_its_workflow_ends(
    harness: Harness, integrator: Integrator, temporal_client: Client
) -> None:
    numbers = [number() for _ in range(10)]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    async def send_and_cancel(to: str) -> str:
        message_id = await integrator.accepted(to, sendAt=tomorrow)
        canceled = await integrator.post(f"/messages/{message_id}/cancel", {})
        assert canceled.status_code == 200, canceled.text
        status: str = canceled.json()["status"]
        return status

    assert {await send_and_cancel(to) for to in numbers} == {"CANCELED"}
    await until(partial(_all_ended, temporal_client, integrator, len(numbers)))
    assert set(await harness.copies(numbers)) == {0}
    assert (await integrator.balances())["held"] == 0
    assert await violations(integrator) == []


async def test_a_send_whose_client_hangs_up_once_it_is_accepted_is_sent_once(
    harness: Harness, integrator: Integrator
) -> None:
    to, key = number(), unique("key")
    address = urlsplit(harness.stack.api_url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(_request(integrator, to, key))
    await writer.drain()
    await until(partial(_is_accepted, integrator), every=0.002)
    writer.transport.abort()  # it has not read its answer
    await integrator.all_ended()
    retry = await integrator.send(to, key=key, type="OTP")
    assert retry.headers["Idempotency-Replayed"] == "true"
    assert await harness.copies([to]) == [1]
    assert await violations(integrator) == []


async def test_a_key_repeated_right_after_its_answer_is_one_workflow(
    harness: Harness, integrator: Integrator, temporal_client: Client
) -> None:
    to, key = number(), unique("key")
    answers = [await integrator.send(to, key=key) for _ in range(20)]
    assert len({answer.json()["messageId"] for answer in answers}) == 1
    await integrator.all_ended()
    await until(partial(_all_ended, temporal_client, integrator, 1))
    assert await harness.copies([to]) == [1]
    assert await violations(integrator) == []


async def _all_ended(client: Client, integrator: Integrator, number: int) -> bool:
    """Return whether so many workflows of the tenant are known, and all have ended."""
    query = f"HexavoxTenant = {integrator.owner.tenant_id}"
    runs = [run.status async for run in client.list_workflows(query)]
    assert len(runs) <= number
    return runs == [WorkflowExecutionStatus.COMPLETED] * number


async def _is_accepted(integrator: Integrator) -> bool:
    return bool(
        await integrator.harness.rows(
            "SELECT 1 FROM message WHERE tenant_id = :tenant", tenant=integrator.owner.tenant_id
        )
    )


def _request(integrator: Integrator, to: str, key: str) -> bytes:
    body = json.dumps(
        {
            "merchantId": integrator.owner.merchant,
            "to": to,
            "message": "Hello",
            "type": "OTP",
        }
    ).encode()
    lines = [
        "POST /api/v1/messages/sms HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Idempotency-Key: {key}",
        *(f"{name}: {value}" for name, value in integrator.headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
