"""Everything outside the database names rows by public ids, with documented exceptions.

Row ids stay in the database, in the inputs of workflows and steps, and in fairness keys
(docs/decisions/0050-rows-are-shown-by-random-public-ids.md).
"""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.client import Client

from tests.chaos.payments import Buyer
from tests.e2e.harness import Harness, Integrator, number, until
from tests.e2e.registrar import Registrar
from tests.shown_ids import row_ids_in
from tests.webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.xdist_group("stack")

IN_INPUTS: Final = frozenset(
    {
        "message_id",
        "merchant_id",
        "payment_id",
        "row_id",
        "sender_id",
        "credential_id",
        "endpoint_id",
        "batch_id",
        "chunk_id",
    }
)
"""Fields of workflow and step inputs that contain row ids."""

FAIRNESS: Final = frozenset({"fairnessKey", "fairness_key"})

KINDS: Final = frozenset(
    {
        "send-message",
        "upgrade",
        "register-brand",
        "register-campaign",
        "buy-number",
        "sweeper",
        "deliver-webhooks",
        "send-batch",
        "send-chunk",
    }
)


async def everything_once(integrator: Integrator) -> None:
    """Send on every channel, lose an answer, cancel, buy credits, and register up to a number."""
    merchant = integrator.owner.merchant
    await integrator.accepted(number())
    await integrator.accepted(number(), key="under-a-key")
    await integrator.accepted(number("9005"))
    await integrator.accepted(number("9002"))
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    canceled = await integrator.accepted(number(), sendAt=later)
    assert (await integrator.post(f"/messages/{canceled}/cancel", None)).status_code == 200
    call = {"merchantId": merchant, "to": number(), "text": "Ten", "type": "REMINDER"}
    mail = {"merchantId": merchant, "to": "a@example.com", "subject": "Hi", "body": "<p>Hi</p>"}
    assert (await integrator.post("/messages/voice", call)).status_code == 200
    mailed = await integrator.post("/messages/email", {**mail, "type": "TRANSACTIONAL"})
    assert mailed.status_code == 200, mailed.text
    lines = [{"to": number(), "message": "Hello", "type": "REMINDER"} for _ in range(6)]
    batch = {"merchantId": merchant, "channel": "SMS", "messages": lines}
    sent = await integrator.post("/messages/batch", batch)
    assert sent.status_code == 200, sent.text
    canceled_batch = {**batch, "messages": [{**line, "sendAt": later} for line in lines]}
    stored = await integrator.post("/messages/batch", canceled_batch)
    path = f"/messages/batch/{stored.json()['batchId']}/cancel"
    assert (await integrator.post(path, None)).status_code == 200
    buyer = Buyer(integrator)
    assert (await buyer.upgrade("pm_123", key="credits")).status_code == 200
    assert (await integrator.get(f"/voice/provisioning?merchantId={merchant}")).status_code == 200
    registrar = Registrar(integrator)
    await registrar.brand()
    await registrar.campaign()
    await registrar.bought("813")
    await integrator.all_ended()


async def subscribe(integrator: Integrator, receiver: Receiver) -> None:
    """Create an endpoint for every event."""
    created = await integrator.post("/webhooks", {"url": receiver.url, "events": []})
    assert created.status_code == 200, created.text


async def test_no_id_of_a_row_leaves_the_database_but_where_it_is_documented(
    harness: Harness, integrator: Integrator, temporal_client: Client
) -> None:
    async with receiving() as receiver:
        await subscribe(integrator, receiver)
        await everything_once(integrator)
        await until(lambda: has_arrived(receiver, "upgrade.succeeded"))
        posted = "".join(f"{request.headers}{request.body!r}" for request in receiver.requests)
    stored = await harness.rows(
        "SELECT to_jsonb(m)::text FROM message m WHERE tenant_id = :t", t=integrator.owner.tenant_id
    )
    assert row_ids_in(str(stored)) != set(), "rows have ids that are told from public ids"

    kinds, inside = set(), set()
    async for run in temporal_client.list_workflows():
        kinds.add(run.workflow_type)
        told = await told_of(temporal_client, run.id)
        inside |= row_ids_in(json.dumps(told))
        assert row_ids_in(json.dumps(without_documented(told))) == set(), run.id
    assert kinds >= KINDS
    assert inside != set(), "payloads were looked into"
    places = {**await elsewhere(harness), "events that were posted": posted}
    for place, shown in places.items():
        assert len(shown) > 50, place
        assert row_ids_in(shown) == set(), place


async def has_arrived(receiver: Receiver, type: str) -> bool:
    """Return whether an event of a type was posted."""
    return any(request.event["type"] == type for request in receiver.requests)


async def told_of(client: Client, workflow_id: str) -> Any:
    """Return Temporal's data of a workflow, with decoded payloads."""
    handle = client.get_workflow_handle(workflow_id)
    history = (await handle.fetch_history()).to_json_dict()
    description = MessageToDict((await handle.describe()).raw_description)
    return decoded([workflow_id, history, description])


def decoded(part: Any) -> Any:
    """Return a document with its payloads decoded."""
    if isinstance(part, list):
        return [decoded(item) for item in part]
    if not isinstance(part, dict):
        return part
    if isinstance(part.get("data"), str) and "metadata" in part:
        return json.loads(b64decode(part["data"]))
    return {name: decoded(value) for name, value in part.items()}


def without_documented(part: Any, *, in_input: bool = False) -> Any:
    """Return a document without the fields that may contain row ids."""
    if isinstance(part, list):
        return [without_documented(item, in_input=in_input) for item in part]
    if not isinstance(part, dict):
        return part
    left_out = FAIRNESS | IN_INPUTS if in_input else FAIRNESS
    return {
        name: without_documented(value, in_input=in_input or name == "input")
        for name, value in part.items()
        if name not in left_out
    }


async def elsewhere(harness: Harness) -> dict[str, str]:
    """Return logs, metrics, and all vendor requests, by place."""
    stack, http = harness.stack, harness.http
    pages = {
        "metrics of the API": f"{stack.api_url}/metrics",
        "metrics of the worker": f"http://127.0.0.1:{stack.ports['worker']}/metrics",
        "messages at the provider": f"{stack.simulator_url}/deliveries",
        "payments at the gateway": f"{stack.simulator_url}/payments",
        "registrations at the registry": f"{stack.simulator_url}/registrations",
    }
    shown = {}
    for place, url in pages.items():
        answer = await http.get(url, headers=stack.console_headers)
        assert answer.status_code == 200, (place, answer.text)
        shown[place] = answer.text
    for process in ("api", "worker"):
        shown[f"log of the {process}"] = stack.log(process)
    shown["log of Temporal"] = harness.temporal.log.read_text(errors="replace")
    return shown
