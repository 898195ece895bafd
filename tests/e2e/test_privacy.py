"""Temporal's UI and logs contain no personal data, and a send is found by its ids."""

from collections.abc import Iterable

import pytest
from temporalio.client import Client

from tests.e2e.harness import Harness, Integrator, number, shown_of, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("stack")


def _found(private: Iterable[str], text: str) -> list[str]:
    return [word for word in private if word in text]


@pytest.mark.parametrize("last_four", ["1234", "9002", "9005", "9010"])
async def test_neither_contact_nor_text_nor_secret_is_in_a_sends_history(
    harness: Harness, integrator: Integrator, temporal_client: Client, last_four: str
) -> None:
    to, words = number(last_four), unique("the private text")
    message_id = await integrator.accepted(to, message=words, key=unique("key"))
    await integrator.ended(message_id)
    private = [to, to[1:], to[2:], words, integrator.owner.api_secret, integrator.owner.api_key]

    shown = await shown_of(
        temporal_client, await harness.workflow(temporal_client, integrator, message_id)
    )

    assert _found(private, shown) == []
    assert '"message_id":' in shown, "payloads were looked into"
    for process in ("api", "worker", "simulator"):
        log = harness.stack.log(process)
        assert log or process == "simulator", "only the simulator has nothing to say"
        assert _found(private, log) == []
    assert _found(private, harness.temporal.log.read_text(errors="replace")) == []


async def test_neither_contact_nor_text_is_in_the_sweepers_history(
    harness: Harness, integrator: Integrator, temporal_client: Client
) -> None:
    to, words = number("9005"), unique("the private text")
    message_id = await integrator.accepted(to, message=words)  # stays open long enough to be swept
    await integrator.ended(message_id)
    shown = await shown_of(temporal_client, "sweeper")
    assert _found([to, to[1:], words, integrator.owner.api_secret], shown) == []
    assert "started" in shown


async def test_a_send_is_found_by_everything_an_operator_may_know_of_it(
    harness: Harness, integrator: Integrator, temporal_client: Client
) -> None:
    key = unique("key")
    delivered = await integrator.accepted(number(), key=key)
    refused = await integrator.accepted(number("9002"))
    await integrator.all_ended()
    by_id = {
        message: await harness.workflow(temporal_client, integrator, message)
        for message in (delivered, refused)
    }
    mine = f"HexavoxTenant = {integrator.owner.tenant_id}"
    questions = {
        f"HexavoxMessageId = {delivered} AND {mine}": {by_id[delivered]},
        f"HexavoxIdempotencyKey = '{key}'": {by_id[delivered]},
        f"HexavoxMerchant = '{integrator.owner.merchant}'": set(by_id.values()),
        f"HexavoxChannel = 'SMS' AND {mine}": set(by_id.values()),
        mine: set(by_id.values()),
        f"ExecutionStatus = 'Completed' AND HexavoxOutcome IS NULL AND {mine}": {by_id[delivered]},
        f"HexavoxOutcome = 'FAILED' AND {mine}": {by_id[refused]},
    }
    for question, answer in questions.items():
        await until(lambda q=question, a=answer: _answers(temporal_client, q, a))  # type: ignore[misc]


async def _answers(client: Client, question: str, expected: set[str]) -> bool:
    return {run.id async for run in client.list_workflows(question)} == expected
