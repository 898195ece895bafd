"""The answer to a registered keyword, on the whole system."""

from typing import Any

import pytest

from tests.e2e.harness import Harness, Integrator, number, until
from tests.e2e.registrar import Registrar
from tests.messaging import CAMPAIGN

pytestmark = pytest.mark.xdist_group("stack")


async def test_baja_is_obeyed_and_answered_as_registered(
    harness: Harness, integrator: Integrator
) -> None:
    registrar, to = Registrar(integrator), number()
    await registrar.brand()
    bought = await registrar.bought("813")
    words = {"optOutKeywords": ["STOP", "BAJA", "SALIR"]}
    made = await registrar.post("campaigns", {**CAMPAIGN, **words})
    await registrar.decided("campaigns", campaignId=made["campaignId"])
    await registrar.post(
        f"numbers/{bought['number']}/assignment", {"campaignId": made["campaignId"]}
    )
    await registrar.number(bought["number"], assignmentStatus=["ASSIGNED"])
    await integrator.ended(await integrator.accepted(to))

    await _text(harness, to, bought["number"], "Baja, please")

    async def answered() -> bool:
        return len(await harness.deliveries(to)) == 2

    await until(answered)
    [_, answer] = await harness.deliveries(to)
    assert (answer["content"], answer["from"]) == (CAMPAIGN["optOutMessage"], bought["number"])
    refused = await integrator.send(to)
    assert (refused.status_code, refused.json()["code"]) == (403, "CONSENT_OPTED_OUT")
    [change] = (
        await integrator.get(
            f"/consents/history?merchantId={integrator.owner.merchant}&channel=SMS&contact={to}".replace(
                "+", "%2B"
            )
        )
    ).json()
    assert (change["status"], change["source"]) == (
        "OPT_OUT",
        f"sms:STOP-UNDERSTOOD:{bought['number']}",
    )


async def _text(harness: Harness, sender: str, to: str, body: str) -> None:
    document: dict[str, Any] = {"from": sender, "to": to, "body": body}
    answer = await harness.http.post(
        f"{harness.stack.simulator_url}/inbound",
        json=document,
        headers=harness.stack.console_headers,
    )
    assert answer.is_success, answer.text
