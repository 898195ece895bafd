"""References issued by an earlier database match no row of its replacement.

Both have the same row ids. Temporal, vendors and mailboxes still have the references of the first
one.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from activities.messages.dispatch import Dispatching
from activities.messages.inline_report_wait import InlineReportWait
from activities.messages.reconcile import Reconciliation
from activities.messages.settle import Settlement
from cli.dev.postgres import EmbeddedPostgres
from models.enums import Channel, DeliveryMode, MessageStatus
from models.queries.billing.upgrades.payment_rows import PaymentMissing
from models.queries.registration import registrations
from models.rules.registration.lifecycle import RegistrationReference
from models.rules.registration.vocabulary import RegistrationKind, RegistrationOperation
from models.rules.waits import PaymentWaits
from providers.routing import Routes
from tests.activities.doubles import Scripted, own_id
from tests.activities.gateways import PaymentHarness
from tests.factories import unique
from tests.ids.installation import KEY, Installation, installation
from tests.registration.harness import Harness as RegistrationHarness
from tests.stack import make_database
from tests.workflows.harness import WAITS
from workflows.billing.start import UpgradeStart, start_upgrade
from workflows.billing.types import UpgradeStep
from workflows.messages.start import start_send
from workflows.messages.types import (
    DispatchStep,
    Ending,
    Finding,
    PollStep,
    ReconcileStep,
    SettleStep,
    Verdict,
)
from workflows.registration.types import RegistrationStep

SECOND = timedelta(seconds=1)
PAYMENT_WAITS = PaymentWaits(
    news_wait=SECOND,
    poll_first=SECOND,
    poll_longest=SECOND,
    retry_every=SECOND,
    horizon=SECOND,
)


@pytest.fixture(scope="module")
async def old(postgres: EmbeddedPostgres) -> AsyncIterator[Installation]:
    """The earlier database, which issued the references."""
    async with installation(make_database(postgres, unique("old").replace("-", "_"))) as made:
        yield made


@pytest.fixture
async def new(postgres: EmbeddedPostgres) -> AsyncIterator[Installation]:
    """The replacement."""
    async with installation(make_database(postgres, unique("new").replace("-", "_"))) as made:
        yield made


@pytest.fixture
async def untouched(old: Installation, new: Installation) -> AsyncIterator[Installation]:
    """The replacement, which must not change during a test."""
    assert old.row_ids() == new.row_ids()
    before = await new.everything()
    assert len(before) > 4
    yield new
    assert await new.everything() == before


def report(reference: str) -> dict[str, Any]:
    return {
        "eventId": unique("e"),
        "messageId": own_id(reference),
        "reference": reference,
        "status": "delivered",
        "at": datetime.now(UTC).isoformat(),
    }


async def test_a_signed_report_of_the_old_message_matches_no_message(
    old: Installation, untouched: Installation
) -> None:
    reference = await old.reference()
    assert await untouched.reported(reference, report(reference)) == 204


async def test_a_signed_report_of_its_own_message_is_taken(new: Installation) -> None:
    before, reference = await new.everything(), await new.reference()
    assert await new.reported(reference, report(reference)) == 204
    assert len(await new.everything()) == len(before) + 1


async def test_a_report_of_the_old_payment_matches_no_payment(
    old: Installation, untouched: Installation
) -> None:
    reference = await old.payment_reference()
    charge = {
        "eventId": unique("e"),
        "type": "charge",
        "chargeId": f"ch-{reference}",
        "reference": reference,
        "amountCents": 10,
        "currency": "USD",
        "status": "succeeded",
        "errorCode": None,
        "at": datetime.now(UTC).isoformat(),
    }
    assert await untouched.reported(f"payments/{reference}", charge) == 404


async def test_the_link_in_an_old_email_opts_no_one_out(
    old: Installation, untouched: Installation
) -> None:
    answer = await untouched.client.post(
        old.unsubscribe_link(), data={"List-Unsubscribe": "One-Click"}
    )
    assert answer.status_code == 404


async def test_the_link_in_its_own_mail_opts_out(new: Installation) -> None:
    answer = await new.client.post(new.unsubscribe_link(), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200


async def test_the_old_sip_user_is_unknown(old: Installation, untouched: Installation) -> None:
    assert old.sip["username"] != untouched.sip["username"]
    assert old.sip["password"] != untouched.sip["password"]
    answer = await untouched.client.post(
        "/api/v1/voice/provisioning/presence",
        json={
            "merchantId": untouched.owner.merchant,
            "username": old.sip["username"],
            "state": "ONLINE",
            "contact": "sip:x@192.0.2.1",
            "userAgent": "Desk",
            "expiresSeconds": 86_400,
        },
        headers=untouched.owner.headers,
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "VOICE_USER_NOT_FOUND")


async def test_a_report_of_the_old_brand_matches_no_brand(
    old: Installation, new: Installation
) -> None:
    def named(one: Installation, brand: int) -> RegistrationReference:
        return RegistrationReference(
            kind=RegistrationKind.BRAND,
            tenant=one.owner.tenant_public_id,
            row=brand,
            submission=1,
        )

    theirs = named(old, await old.public_id("brand", old.brand_id))
    own = named(new, await new.public_id("brand", new.brand_id))
    async with new.database.read() as db:
        assert await registrations.find_named(db, theirs) is None
        found = await registrations.find_named(db, own)
    assert found is not None
    assert found.id == new.brand_id


@pytest.mark.parametrize("ended", [False, True], ids=["still runs", "has ended"])
async def test_a_send_gets_a_workflow_though_temporal_knows_the_old_one_of_its_key(
    old: Installation, new: Installation, client: Client, ended: bool
) -> None:
    first, second = await old.start(), await new.start()
    assert (first.idempotency_key, second.idempotency_key) == (KEY, KEY)
    assert await start_send(client, first, WAITS)
    handle = client.get_workflow_handle(first.workflow_id)
    if ended:
        await handle.terminate()
    assert await start_send(client, second, WAITS)
    described = await client.get_workflow_handle(second.workflow_id).describe()
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert str(second.public_id) in (await described.static_summary() or "")


@pytest.mark.parametrize("ended", [False, True], ids=["still runs", "has ended"])
async def test_a_purchase_gets_a_workflow_though_temporal_knows_the_old_one_of_its_key(
    old: Installation, new: Installation, client: Client, ended: bool
) -> None:
    first, second = [await upgrade_of(one) for one in (old, new)]
    assert await start_upgrade(client, first, PAYMENT_WAITS)
    if ended:
        await client.get_workflow_handle(first.workflow_id).terminate()
    assert await start_upgrade(client, second, PAYMENT_WAITS)
    described = await client.get_workflow_handle(second.workflow_id).describe()
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert str(second.public_id) in (await described.static_summary() or "")


async def upgrade_of(one: Installation) -> UpgradeStart:
    return UpgradeStart(
        tenant_id=one.owner.tenant_id,
        tenant_public_id=one.owner.tenant_public_id,
        payment_id=one.payment_id,
        public_id=await one.public_id("payment", one.payment_id),
        merchant=one.owner.merchant,
        channel=Channel.SMS,
        scope="",
        idempotency_key=KEY,
        accepted_at=datetime.now(UTC),
    )


async def test_the_steps_of_the_old_messages_workflow_leave_the_new_message_alone(
    old: Installation, untouched: Installation
) -> None:
    provider = Scripted(name="simulator")
    routes = Routes([provider], {DeliveryMode.SIMULATOR: ["simulator"]})
    wait = InlineReportWait(untouched.database, timedelta(0))
    dispatching = Dispatching(
        untouched.database, routes, public_url="http://us/", slots=20, inline_report_wait=wait
    )
    truth = Reconciliation(untouched.database, routes)
    settlement = Settlement(untouched.database, routes)
    send, run = await old.start(), ActivityEnvironment().run
    ids = {"tenant_id": send.tenant_id, "message_id": send.message_id}
    dispatched = DispatchStep(
        tenant_id=send.tenant_id, message_id=send.message_id, public_id=send.public_id
    )
    handed = await run(dispatching.dispatch, dispatched)
    assert (handed.verdict, provider.sent) == (Verdict.OVER, [])
    found = await run(truth.reconcile, ReconcileStep(**ids, public_id=send.public_id))
    assert found.finding is Finding.ABSENT
    polled = await run(truth.poll, PollStep(**ids, public_id=send.public_id))
    assert not polled.reported
    for ending in Ending:
        step = SettleStep(
            tenant_id=send.tenant_id,
            message_id=send.message_id,
            public_id=send.public_id,
            ending=ending,
        )
        settled = await run(settlement.settle, step)
        assert (settled.status, settled.completed) == (MessageStatus.UNKNOWN, True)
    assert provider.asked == []


@pytest.mark.parametrize("name", ["charge", "await_payment", "cancel_charge", "grant", "refund"])
async def test_the_steps_of_the_old_payments_workflow_leave_the_new_payment_alone(
    old: Installation, untouched: Installation, name: str
) -> None:
    paying = PaymentHarness(untouched.database, untouched.owner, untouched.gateway)
    step = UpgradeStep(
        tenant_id=old.owner.tenant_id,
        payment_id=old.payment_id,
        public_id=await old.public_id("payment", old.payment_id),
    )
    with pytest.raises(PaymentMissing):
        await ActivityEnvironment().run(getattr(paying.payments, name), step)
    assert untouched.gateway.calls == []


async def test_the_steps_of_the_old_brands_workflow_leave_the_new_brand_alone(
    old: Installation, untouched: Installation
) -> None:
    harness = RegistrationHarness(untouched.database, untouched.owner, untouched.registry)
    step = RegistrationStep(
        tenant_id=old.owner.tenant_id,
        kind=RegistrationKind.BRAND,
        registry_operation=RegistrationOperation.REGISTER_BRAND,
        row_id=old.brand_id,
        public_id=await old.public_id("brand", old.brand_id),
    )
    run = ActivityEnvironment().run
    for body in (
        harness.registering.submit,
        harness.registering.reconcile,
        harness.registering.ask,
    ):
        await run(body, step)
    assert (untouched.registry.submitted, untouched.registry.asked) == ([], [])
    own = replace(step, public_id=await untouched.public_id("brand", untouched.brand_id))
    async with untouched.database.transaction() as db:
        found = await registrations.lock_row(
            db,
            kind=own.kind,
            tenant_id=own.tenant_id,
            row_id=own.row_id,
            public_id=own.public_id,
        )
    assert found is not None
