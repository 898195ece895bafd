"""Suppressions from late reports: a carrier opt-out, a hard bounce, a complaint."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models.enums import Channel, ErrorCode
from providers.ports.messages import Refused
from tests.activities.doubles import ACCEPTED, Scripted, own_id
from tests.activities.harness import Harness
from tests.factories import make_message, new_message
from tests.inbound.harness import CONTACT, InboundHarness, signed
from workflows.messages.types import Ending, Verdict

OPTED_OUT = Refused(error_code=ErrorCode.OPTED_OUT, provider_code="21610", everywhere=True)
ADDRESS = "Maria@Example.com"


class Post(Scripted):
    """A provider of e-mail."""

    channels = frozenset({Channel.EMAIL})


def mail(inbound: InboundHarness) -> Harness:
    return Harness(inbound.database, inbound.owner, Post(ACCEPTED, name="simulator"))


async def mailed(inbound: InboundHarness, to: str = ADDRESS) -> int:
    """Accept an e-mail; return its id."""
    message = replace(
        new_message(inbound.owner, to=to),
        channel=Channel.EMAIL,
        details={"subject": "Hello"},
    )
    return await make_message(inbound.database, message)


async def reported(inbound: InboundHarness, message_id: int, status: str, **facts: Any) -> int:
    """Report on an e-mail as the simulator does; return the status of the response."""
    reference = await inbound.reference(message_id)
    body, headers = signed(
        {
            "eventId": f"e-{message_id}-{status}",
            "messageId": own_id(reference),
            "reference": reference,
            "status": status,
            "recipient": ADDRESS,
            "at": datetime.now(UTC).isoformat(),
            **facts,
        }
    )
    path = f"/webhooks/simulator/{reference}"
    return (await inbound.client.post(path, content=body, headers=headers)).status_code


async def test_a_carriers_opt_out_is_remembered_and_blocks_what_comes_later(
    inbound: InboundHarness,
) -> None:
    await inbound.writes(None, OPTED_OUT)
    assert await inbound.suppressions() == {(inbound.owner.merchant_id, "CARRIER_OPT_OUT")}
    assert await inbound.history() == [
        (inbound.owner.merchant_id, "SUPPRESSED", "simulator: carrier opt-out")
    ]
    harness = Harness(inbound.database, inbound.owner, Scripted())
    blocked = await harness.dispatch(await harness.accept())
    assert (blocked.verdict, blocked.error_code) == (
        Verdict.BLOCKED,
        ErrorCode.RECIPIENT_SUPPRESSED,
    )
    order = {
        "merchantId": inbound.owner.merchant,
        "to": CONTACT,
        "message": "Hello",
        "type": "OTP",
    }
    response = await inbound.client.post(
        "/api/v1/messages/sms", json=order, headers=inbound.owner.headers
    )
    assert (response.status_code, response.json()["code"]) == (403, "RECIPIENT_SUPPRESSED")


async def test_another_merchant_is_not_held_by_it(inbound: InboundHarness) -> None:
    await inbound.writes(None, OPTED_OUT)
    merchant_fixture = Harness(inbound.database, await inbound.merchant_fixture(), Scripted())
    assert (
        await merchant_fixture.dispatch(await merchant_fixture.accept())
    ).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("status", "facts", "reason"),
    [
        ("bounced", {"bounceType": "permanent"}, "HARD_BOUNCE"),
        ("complained", {}, "COMPLAINT"),
    ],
)
async def test_a_hard_bounce_and_a_complaint_block_what_comes_later(
    inbound: InboundHarness, status: str, facts: dict[str, Any], reason: str
) -> None:
    message_id, waiting = await mailed(inbound), await mailed(inbound)
    harness = mail(inbound)
    assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    for _ in range(2):
        assert await reported(inbound, message_id, status, **facts) == 204
    assert await inbound.suppressions() == {(inbound.owner.merchant_id, reason)}
    assert [status for _, status, _ in await inbound.history()] == ["SUPPRESSED"]
    blocked = await harness.dispatch(waiting)
    assert (blocked.verdict, blocked.error_code) == (
        Verdict.BLOCKED,
        ErrorCode.RECIPIENT_SUPPRESSED,
    )


async def test_a_transient_bounce_blocks_nothing(inbound: InboundHarness) -> None:
    message_id = await mailed(inbound)
    harness = mail(inbound)
    await harness.dispatch(message_id)
    assert await reported(inbound, message_id, "bounced", bounceType="transient") == 204
    assert await inbound.suppressions() == set()
    assert (await harness.dispatch(await mailed(inbound))).verdict is Verdict.ACCEPTED


async def test_a_complaint_after_the_end_still_counts(inbound: InboundHarness) -> None:
    message_id = await mailed(inbound)
    harness = mail(inbound)
    await harness.dispatch(message_id)
    assert await reported(inbound, message_id, "delivered") == 204
    await harness.settle(message_id, Ending.REPORTED)
    assert await reported(inbound, message_id, "complained") == 204
    assert await inbound.suppressions() == {(inbound.owner.merchant_id, "COMPLAINT")}
    assert await harness.status(message_id) == "DELIVERED"
