"""An SMS at Twilio from its dispatch to its end, with a double that posts signed callbacks."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from twilio.request_validator import RequestValidator

from models.enums import ErrorCode, MessageStatus, MessageType
from providers.twilio.client import Account, Twilio
from providers.twilio.messages import TwilioSms
from tests.activities.harness import TO, Harness
from tests.inbound.harness import InboundHarness
from tests.vendors.registry_fixtures import SECONDS
from tests.vendors.twilio_callbacks import report
from tests.vendors.twilio_double import ACCOUNT, TOKEN, TwilioDouble
from workflows.messages.types import Ending, Finding, Verdict


class TwilioHarness:
    """A tenant that sends by Twilio."""

    def __init__(self, inbound: InboundHarness) -> None:
        self.inbound = inbound
        self.twilio = TwilioDouble()
        transport = cast(httpx.AsyncBaseTransport, self.twilio)
        client = Twilio(
            httpx.AsyncClient(transport=transport),
            Account(sid=ACCOUNT, token=TOKEN),
            timeout=SECONDS,
        )
        adapter = TwilioSms(client, timeout=SECONDS)
        self.harness = Harness(
            inbound.database, inbound.owner, adapter, public_url="http://api.test"
        )

    def message(self) -> dict[str, Any]:
        """Return the only message at Twilio."""
        [message] = self.twilio.all("Messages")
        return message

    async def reports(self, status: str, code: int | None = None) -> int:
        """Post the callback of the only message; return our response's status."""
        sid = self.message()["sid"]
        return (await report(self.twilio, self.inbound.client, sid, status, code)).status_code

    async def posts(
        self, form: Mapping[str, str], *, url: str | None = None, token: str = TOKEN
    ) -> int:
        """Post a form to the callback address, signed for `url`."""
        address = self.twilio.callbacks[self.message()["sid"]]
        signature = RequestValidator(token).compute_signature(url or address, dict(form))
        headers = {"X-Twilio-Signature": signature}
        response = await self.inbound.client.post(address, data=dict(form), headers=headers)
        return response.status_code

    async def ids(self) -> list[str]:
        """Return Twilio's ids of all attempts that have one."""
        rows = await self.inbound.rows(
            "SELECT provider_message_id AS sid FROM attempt"
            " WHERE tenant_id = :t AND provider_message_id IS NOT NULL ORDER BY message_id"
        )
        return [row.sid for row in rows]

    async def stored(self) -> list[tuple[str, str]]:
        """Return status and phase of every stored report."""
        rows = await self.inbound.rows(
            "SELECT status, phase FROM receipt WHERE tenant_id = :t ORDER BY id"
        )
        return [tuple(row) for row in rows]


@pytest.fixture
def twilio(inbound: InboundHarness) -> TwilioHarness:
    return TwilioHarness(inbound)


def delivered(sid: str, **changes: str) -> dict[str, str]:
    report = {"MessageSid": sid, "MessageStatus": "delivered", "To": TO}
    return {"AccountSid": ACCOUNT, **report, **changes}


async def test_a_message_is_delivered(twilio: TwilioHarness) -> None:
    message_id = await twilio.harness.accept()
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    for status in ("queued", "sending", "sent", "sent", "delivered", "delivered"):
        assert await twilio.reports(status) == 204
    assert await twilio.stored() == [("SENT", "sent"), ("DELIVERED", "delivered")]
    settled = await twilio.harness.settle(message_id, Ending.REPORTED)
    assert settled == (MessageStatus.DELIVERED, True)


async def test_an_otp_leaves_twilios_queue_with_its_validity(twilio: TwilioHarness) -> None:
    message_id = await twilio.harness.accept(type=MessageType.OTP, valid_for=timedelta(seconds=600))
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
    [form] = twilio.twilio.told
    assert 540 <= int(form["ValidityPeriod"][0]) <= 600


async def test_a_callback_proves_a_message_whose_answer_was_lost(twilio: TwilioHarness) -> None:
    message_id = await twilio.harness.accept()
    twilio.twilio.loses = "after"
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    assert await twilio.reports("sent") == 204
    assert (await twilio.harness.reconcile(message_id)).finding is Finding.FOUND
    assert len(twilio.twilio.all("Messages")) == 1
    assert await twilio.reports("delivered") == 204
    settled = await twilio.harness.settle(message_id, Ending.REPORTED)
    assert settled == (MessageStatus.DELIVERED, True)


async def test_a_message_whose_answer_was_lost_is_found_in_the_list(twilio: TwilioHarness) -> None:
    message_id = await twilio.harness.accept()
    twilio.twilio.loses = "after"
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    assert (await twilio.harness.reconcile(message_id)).finding is Finding.FOUND
    assert await twilio.ids() == [twilio.message()["sid"]]
    assert await twilio.reports("delivered") == 204
    settled = await twilio.harness.settle(message_id, Ending.REPORTED)
    assert settled == (MessageStatus.DELIVERED, True)


async def test_a_message_that_twilio_never_got_stays_uncertain_and_is_not_sent_again(
    twilio: TwilioHarness,
) -> None:
    message_id = await twilio.harness.accept()
    twilio.twilio.loses = "before"
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    assert (await twilio.harness.reconcile(message_id)).finding is Finding.UNCERTAIN
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    assert twilio.twilio.all("Messages") == []


async def test_equal_texts_whose_answers_were_lost_each_get_a_message_of_their_own(
    twilio: TwilioHarness,
) -> None:
    message_ids = [await twilio.harness.accept() for _ in range(3)]
    for message_id in message_ids:
        twilio.twilio.loses = "after"
        assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    for message_id in message_ids:
        assert (await twilio.harness.reconcile(message_id)).finding is Finding.FOUND
    assert sorted(await twilio.ids()) == sorted(m["sid"] for m in twilio.twilio.all("Messages"))
    assert len(set(await twilio.ids())) == 3


async def test_one_listed_message_proves_none_of_two_equal_ones(twilio: TwilioHarness) -> None:
    message_ids = [await twilio.harness.accept() for _ in range(2)]
    for message_id, loses in zip(message_ids, ("before", "after"), strict=True):
        twilio.twilio.loses = loses
        assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    for message_id in message_ids:
        assert (await twilio.harness.reconcile(message_id)).finding is Finding.UNCERTAIN
    # The callback to the address of the second one decides for both.
    assert await twilio.reports("sent") == 204
    findings = [(await twilio.harness.reconcile(message_id)).finding for message_id in message_ids]
    assert findings == [Finding.UNCERTAIN, Finding.FOUND]
    assert len(twilio.twilio.all("Messages")) == 1


async def test_a_carriers_opt_out_after_acceptance_suppresses(twilio: TwilioHarness) -> None:
    message_id = await twilio.harness.accept()
    await twilio.harness.dispatch(message_id)
    assert await twilio.reports("failed", 21610) == 204
    owner = twilio.inbound.owner.merchant_id
    assert await twilio.inbound.suppressions() == {(owner, "CARRIER_OPT_OUT")}


async def test_a_refusal_for_an_opt_out_suppresses_and_ends_the_message(
    twilio: TwilioHarness,
) -> None:
    twilio.twilio.refuses["/Messages"] = (400, {"code": 21610, "message": "x", "status": 400})
    result = await twilio.harness.dispatch(await twilio.harness.accept())
    assert (result.verdict, result.error_code) == (Verdict.REFUSED, ErrorCode.OPTED_OUT)
    owner = twilio.inbound.owner.merchant_id
    assert await twilio.inbound.suppressions() == {(owner, "CARRIER_OPT_OUT")}


async def test_a_fault_of_the_account_lets_the_message_wait(twilio: TwilioHarness) -> None:
    twilio.twilio.refuses["/Messages"] = (401, {"code": 20003, "message": "x", "status": 401})
    message_id = await twilio.harness.accept()
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.LATER
    twilio.twilio.refuses.clear()
    assert (await twilio.harness.dispatch(message_id)).verdict is Verdict.ACCEPTED


async def test_a_forged_callback_is_refused(twilio: TwilioHarness) -> None:
    await twilio.harness.dispatch(await twilio.harness.accept())
    sid = twilio.message()["sid"]
    address = twilio.twilio.callbacks[sid]
    assert await twilio.posts(delivered(sid), token="guessed") == 403
    assert await twilio.posts(delivered(sid), url=address[:-1] + "9") == 403
    assert await twilio.posts(delivered(sid), url=address + "?a=1") == 403
    assert await twilio.posts(delivered(sid, AccountSid="AC" + "0e" * 16)) == 403
    assert await twilio.stored() == []
    assert await twilio.posts(delivered(sid)) == 204
    assert await twilio.stored() == [("DELIVERED", "delivered")]


async def test_a_callback_about_another_message_or_recipient_changes_nothing(
    twilio: TwilioHarness,
) -> None:
    await twilio.harness.dispatch(await twilio.harness.accept())
    sid = twilio.message()["sid"]
    assert await twilio.posts(delivered("SM" + "0" * 32)) == 204
    assert await twilio.posts(delivered(sid, To="+18135550000")) == 204
    assert await twilio.stored() == []


async def test_a_text_is_no_report_and_a_report_no_text(twilio: TwilioHarness) -> None:
    await twilio.harness.dispatch(await twilio.harness.accept())
    text = {"MessageSid": "SM1", "From": TO, "To": twilio.inbound.owner.sender, "Body": "STOP"}
    text["AccountSid"] = ACCOUNT
    assert await twilio.posts(text) == 400
    answer = await twilio.inbound.twilio_posts(delivered(twilio.message()["sid"]))
    assert answer.status_code == 400
    assert (await twilio.stored(), await twilio.inbound.stored()) == ([], [])
