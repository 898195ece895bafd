"""A STOP from one number of a subscriber blocks messages to the other one, on the whole system."""

import httpx
import pytest

from tests.e2e.harness import Harness, Integrator, until

pytestmark = pytest.mark.xdist_group("stack")

TO, FROM, SOMEBODY_ELSE = "+525512341234", "+5215512341234", "+525512341235"


async def test_a_stop_from_the_former_form_of_a_number_opts_the_person_out(
    harness: Harness, integrator: Integrator
) -> None:
    for to in (TO, SOMEBODY_ELSE):
        await integrator.accepted(to)
    await integrator.all_ended()
    before = await harness.copies([TO, SOMEBODY_ELSE])
    sender = (await harness.deliveries(TO))[0]["from"]

    async def says(sender_of_text: str, body: str) -> None:
        answer = await harness.http.post(
            f"{harness.stack.simulator_url}/inbound",
            json={
                "from": sender_of_text,
                "to": sender,
                "body": body,
                "callbackUrl": f"{harness.stack.api_url}/webhooks/simulator/inbound",
            },
            headers=harness.stack.console_headers,
        )
        assert answer.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED), answer.text

    await says("12345", "STOP")  # a short code: stored, without an opt-out
    await says(FROM, "STOP")

    async def answered() -> bool:
        return await harness.copies([TO]) == [before[0] + 1]

    await until(answered)
    trail = await harness.rows(
        "SELECT contact, status, source FROM consent_change WHERE tenant_id = :t ORDER BY id",
        t=integrator.owner.tenant_id,
    )
    assert trail == [(TO, "OPT_OUT", f"sms:STOP:{sender}")]
    texts = await harness.rows(
        "SELECT sender FROM inbound_message WHERE tenant_id = :t",
        t=integrator.owner.tenant_id,
    )
    assert {sender for (sender,) in texts} == {"12345", FROM}
    refused = await integrator.send(FROM)
    assert (refused.status_code, refused.json()["code"]) == (403, "CONSENT_OPTED_OUT")
    await integrator.accepted(SOMEBODY_ELSE)
    await integrator.all_ended()
    assert await harness.copies([TO, SOMEBODY_ELSE]) == [before[0] + 1, before[1] + 1]
