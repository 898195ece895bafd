"""A signed report only affects the message and recipients of its attempt."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models.enums import AttemptState, MessageStatus
from models.rules.messages.reference import parse_reference
from providers.ports.messages import Accepted
from tests.activities.doubles import AMBIGUOUS, own_id
from tests.activities.harness import Harness
from tests.contacts import key_of
from tests.factories import make_owner
from tests.inbound.harness import CONTACT, OTHER, InboundHarness
from tests.inbound.reporting import FIRST, SECOND, Post, Reporting, mismatches
from tests.shown_ids import shown
from workflows.messages.types import Ending, Verdict

FOREIGN: list[tuple[str, dict[str, Any]]] = [
    ("MESSAGE_ID", {"messageId": "sim_other"}),
    ("MESSAGE_ID", {"messageId": "SIM_OTHER", "status": "undelivered", "errorCode": 30005}),
    ("RECIPIENT", {"recipient": OTHER}),
    ("RECIPIENT", {"recipient": "nobody@example.com"}),
    ("RECIPIENT", {"recipient": "nobody"}),
    ("RECIPIENT", {"recipient": "+1813555123"}),
    ("CHANNEL", {"channel": "EMAIL"}),
    ("CHANNEL", {"channel": "VOICE"}),
    ("CHANNEL", {"status": "bounced", "bounceType": "permanent", "recipient": CONTACT}),
    ("CHANNEL", {"status": "complained"}),
    ("CHANNEL", {"status": "completed", "durationSeconds": 30}),
]


@pytest.fixture
def reporting(inbound: InboundHarness) -> Reporting:
    return Reporting(inbound)


@pytest.mark.parametrize(("reason", "facts"), FOREIGN, ids=repr)
async def test_what_a_report_says_of_something_else_changes_nothing_and_is_counted(
    reporting: Reporting,
    reason: str,
    facts: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    message_id = await reporting.text_to(CONTACT)
    before, counted = await reporting.everything(), mismatches(reason)
    assert await reporting.tell(await reporting.told(message_id, **facts)) == 204
    assert await reporting.everything() == before
    assert mismatches(reason) == counted + 1
    public_id = await shown(reporting.inbound.database, "message", message_id)
    [record] = [r for r in caplog.records if "does not match its attempt" in r.message]
    assert (record.__dict__["message_id"], record.__dict__["reason"]) == (public_id, reason)
    assert not [r for r in caplog.records if CONTACT in str(r.__dict__)]
    assert await reporting.tell(await reporting.told(message_id)) == 204
    assert await reporting.reported(message_id) == [("DELIVERED", None)]


async def test_a_report_on_an_attempt_that_does_not_exist_is_204_and_changes_nothing(
    reporting: Reporting,
) -> None:
    message_id = await reporting.text_to(CONTACT)
    stranger = await make_owner(reporting.inbound.database)
    before, counted = await reporting.everything(), mismatches("ATTEMPT")
    attempt = parse_reference(await reporting.reference(message_id))
    assert attempt is not None
    others = [
        await reporting.reference(message_id, attempt=2),
        str(replace(attempt, message=attempt.message ^ 1)),
        str(replace(attempt, tenant=stranger.tenant_public_id)),
    ]
    for other in others:
        told = await reporting.told(message_id, reference=other)
        assert await reporting.tell(told) == 204
    assert await reporting.everything() == before
    assert mismatches("ATTEMPT") == counted + len(others)


async def test_a_report_by_another_provider_than_the_attempts_changes_nothing(
    reporting: Reporting,
) -> None:
    harness = reporting.harness()
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(0), provider="another")
    before = await reporting.everything()
    assert await reporting.tell(await reporting.told(message_id)) == 204
    assert await reporting.everything() == before


@pytest.mark.parametrize(
    "spelling",
    ["+18135551234", "+1 (813) 555-1234", "+1.813.555.1234", "18135551234", " +18135551234 "],
)
async def test_a_number_may_be_spelled_otherwise(reporting: Reporting, spelling: str) -> None:
    message_id = await reporting.text_to(CONTACT)
    assert await reporting.tell(await reporting.told(message_id, recipient=spelling)) == 204
    assert await reporting.reported(message_id) == [("DELIVERED", CONTACT)]
    settled = await reporting.harness().settle(message_id, Ending.REPORTED)
    assert settled == (MessageStatus.DELIVERED, True)


@pytest.mark.parametrize(
    ("spelling", "whose"),
    [
        ("MARIA@EXAMPLE.COM", FIRST),
        ("maria@example.com", FIRST),
        ("BOB@MÜNCHEN.example", SECOND),
        ("bob@xn--mnchen-3ya.EXAMPLE", SECOND),
    ],
)
async def test_an_address_of_several_may_be_spelled_otherwise(
    reporting: Reporting, spelling: str, whose: str
) -> None:
    message_id = await reporting.mail_to(FIRST, SECOND)
    told = await reporting.told(message_id, "bounced", recipient=spelling, bounceType="permanent")
    assert await reporting.tell(told) == 204
    assert await reporting.reported(message_id) == [("UNDELIVERED", spelling)]
    [row] = await reporting.rows("SELECT contact_key FROM suppression WHERE tenant_id = :t")
    assert row.contact_key == key_of(whose)


@pytest.mark.parametrize("status", ["bounced", "complained"])
async def test_an_address_that_was_never_written_to_is_not_suppressed(
    reporting: Reporting, status: str
) -> None:
    for message_id in (await reporting.mail_to(FIRST), await reporting.mail_to(FIRST, SECOND)):
        before = await reporting.everything()
        told = await reporting.told(message_id, status, recipient="eve@example.com")
        assert await reporting.tell(told) == 204
        assert await reporting.everything() == before


async def test_a_report_that_does_not_say_which_of_several_it_means_is_dropped(
    reporting: Reporting,
) -> None:
    message_id = await reporting.mail_to(FIRST, SECOND)
    before = await reporting.everything()
    for status in ("delivered", "bounced", "complained"):
        assert await reporting.tell(await reporting.told(message_id, status)) == 204
    assert await reporting.everything() == before
    assert await reporting.tell(await reporting.told(message_id, "sent")) == 204
    assert await reporting.reported(message_id) == [("SENT", None)]


async def test_the_only_recipient_need_not_be_named(reporting: Reporting) -> None:
    message_id = await reporting.mail_to(FIRST)
    told = await reporting.told(message_id, "bounced", bounceType="permanent")
    assert await reporting.tell(told) == 204
    assert await reporting.inbound.suppressions() == {
        (reporting.inbound.owner.merchant_id, "HARD_BOUNCE")
    }


async def test_an_event_id_of_another_message_is_ignored(
    reporting: Reporting,
) -> None:
    first, second = await reporting.text_to(CONTACT), await reporting.text_to(OTHER)
    told = await reporting.told(first)
    assert await reporting.tell(told) == 204
    before = await reporting.everything()
    again = await reporting.told(second, eventId=told["eventId"])
    assert await reporting.tell(again) == 204
    assert await reporting.everything() == before
    assert await reporting.tell(await reporting.told(second)) == 204
    assert await reporting.reported(second) == [("DELIVERED", None)]


async def test_an_attempt_whose_answer_was_lost_takes_the_id_of_its_first_report(
    reporting: Reporting,
) -> None:
    message_id = await reporting.text_to(CONTACT, AMBIGUOUS)
    assert await reporting.provider_ids(message_id) == [None]
    assert await reporting.tell(await reporting.told(message_id, "sent", messageId="sim_1")) == 204
    assert await reporting.provider_ids(message_id) == ["sim_1"]
    before = await reporting.everything()
    other = await reporting.told(message_id, "undelivered", messageId="sim_2")
    assert await reporting.tell(other) == 204
    assert await reporting.everything() == before
    assert await reporting.tell(await reporting.told(message_id, messageId="sim_1")) == 204
    assert [status for status, _ in await reporting.reported(message_id)] == ["SENT", "DELIVERED"]


async def test_of_first_reports_with_different_ids_one_wins(reporting: Reporting) -> None:
    message_id = await reporting.text_to(CONTACT, AMBIGUOUS)
    told = [await reporting.told(message_id, "sent", messageId=f"sim_{n % 5}") for n in range(20)]
    assert {await one for one in asyncio.as_completed([reporting.tell(t) for t in told])} == {204}
    [winner] = await reporting.provider_ids(message_id)
    assert winner in {f"sim_{n}" for n in range(5)}
    assert await reporting.reported(message_id) == [("SENT", None)] * 4


async def test_one_id_proves_one_attempt_of_many(reporting: Reporting) -> None:
    ids = [await reporting.text_to(CONTACT, AMBIGUOUS) for _ in range(6)]
    told = [await reporting.told(one, messageId="sim_1") for one in ids]
    assert await asyncio.gather(*(reporting.tell(one) for one in told)) == [204] * 6
    proven = [one for one in ids if await reporting.reported(one)]
    assert len(proven) == 1
    assert await reporting.provider_ids(proven[0]) == ["sim_1"]
    again = await reporting.told(next(one for one in ids if one not in proven), messageId="sim_1")
    before = await reporting.everything()
    assert await reporting.tell(again) == 204
    assert await reporting.everything() == before


async def test_an_answer_with_the_id_of_another_message_proves_nothing(
    reporting: Reporting,
) -> None:
    first = await reporting.text_to(CONTACT)
    same = Accepted(provider_message_id=own_id(await reporting.reference(first)))
    harness = reporting.harness(same)
    second = await harness.accept()
    counted = mismatches("MESSAGE_ID")
    assert (await harness.dispatch(second)).verdict is Verdict.AMBIGUOUS
    assert await harness.attempts(second) == [("simulator", AttemptState.AMBIGUOUS)]
    assert await reporting.provider_ids(second) == [None]
    assert mismatches("MESSAGE_ID") == counted + 1


async def test_the_providers_own_answer_outweighs_an_id_that_was_only_reported(
    reporting: Reporting,
) -> None:
    provider = Post(name="simulator")
    provider.may_answer.clear()
    harness = Harness(reporting.inbound.database, reporting.inbound.owner, provider)
    message_id = await harness.accept()
    call = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    assert await reporting.tell(await reporting.told(message_id, "sent", messageId="sim_1")) == 204
    provider.may_answer.set()
    assert (await call).verdict is Verdict.ACCEPTED
    assert await reporting.provider_ids(message_id) == [
        own_id(await reporting.reference(message_id))
    ]
    assert await reporting.tell(await reporting.told(message_id)) == 204
    assert len(await reporting.reported(message_id)) == 2


@pytest.fixture
async def taken(reporting: Reporting) -> tuple[int, int]:
    """An SMS to one recipient and an e-mail to two, both accepted."""
    return await reporting.text_to(CONTACT), await reporting.mail_to(FIRST, SECOND)


STATUSES = st.sampled_from(["sent", "delivered", "undelivered", "bounced", "complained", "failed"])
STRANGERS = st.sampled_from([OTHER, "eve@example.com", "maria@example.org", "+18135551235", "x"])
WRONG = st.one_of(
    st.fixed_dictionaries({"messageId": st.text("abc_0", min_size=1, max_size=9)}),
    st.fixed_dictionaries({"recipient": STRANGERS}),
    st.fixed_dictionaries({"channel": st.just("VOICE"), "status": st.just("delivered")}),
    st.fixed_dictionaries({"attempt": st.integers(2, 9999)}),
)


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(status=STATUSES, wrong=WRONG, further=WRONG, mail=st.booleans())
async def test_no_signed_report_of_something_else_changes_anything(
    reporting: Reporting,
    taken: tuple[int, int],
    status: str,
    wrong: dict[str, Any],
    further: dict[str, Any],
    mail: bool,
) -> None:
    message_id = taken[mail]
    named = {"recipient": FIRST if mail else CONTACT}
    facts = {**named, "status": status, **further, **wrong}
    attempt = facts.pop("attempt", 1)
    reference = await reporting.reference(message_id, attempt)
    told = await reporting.told(message_id, reference=reference) | facts
    before = await reporting.everything()
    assert await reporting.tell(told) in {204, 400}  # 400: a status its channel does not have
    assert await reporting.everything() == before
