"""STOP to the number of an account that a message was moved to, and from an account of others."""

from dataclasses import replace

import pytest
from fastapi import FastAPI

from models.rules.accounts.account_scope import AccountScope
from tests.activities.doubles import REFUSED
from tests.api.container import put_in, restored
from tests.inbound.harness import CONTACT, InboundHarness, Started, inbox
from tests.senders.accounts import ScriptedAccount, two_accounts


async def test_stop_to_the_number_of_the_second_account_opts_out_who_wrote_from_it(
    inbound: InboundHarness,
) -> None:
    shop_b = await inbound.merchant_fixture("Shop B")
    two = await two_accounts(inbound.database, inbound.owner, own=False)
    moved = two.harness(ScriptedAccount("a", REFUSED), ScriptedAccount("b"))
    message_id = await two.message(to=CONTACT)
    await moved.dispatch(message_id)
    assert (await moved.dispatch(message_id)).provider == "b"
    others = replace(two, owner=shop_b)
    stayed = others.harness(ScriptedAccount("a"), ScriptedAccount("b"))
    assert (await stayed.dispatch(await others.message(to=CONTACT))).provider == "a"

    await inbound.twilio_tells("STOP", event_id="SM-b", To=two.at_b)
    assert {merchant: status for merchant, (status, _) in (await inbound.consents()).items()} == {
        inbound.owner.merchant_id: "OPT_OUT"
    }
    await inbound.twilio_tells("STOP", event_id="SM-a", To=two.at_a)
    assert (await inbound.consents()).keys() == {inbound.owner.merchant_id, shop_b.merchant_id}
    assert {(answer.merchant_id, answer.sender) for answer in await inbound.answers()} == {
        (inbound.owner.merchant_id, two.at_b),
        (shop_b.merchant_id, two.at_a),
    }


@pytest.mark.parametrize("serves", [False, True])
async def test_an_account_of_other_tenants_cannot_opt_anyone_out(
    inbound: InboundHarness, app: FastAPI, started: Started, serves: bool
) -> None:
    await inbound.writes()
    tenants = {"other", inbound.owner.tenant} if serves else {"other"}
    scopes = {"twilio": AccountScope(tenants=frozenset(tenants))}
    with restored(app):
        put_in(app, "consent", inbox=inbox(inbound.database, started, scopes))
        answer = await inbound.twilio_tells("STOP", event_id="SM-foreign")
    assert answer.status_code == 204 or serves
    assert len(await inbound.stored()) == serves
    assert len(await inbound.consents()) == serves


@pytest.mark.parametrize(
    ("listed", "taken"),
    [
        ({"other"}, False),
        ({"twilio"}, True),
        ({"twilio", "other"}, True),  # moved from one that was taken out of the file
        (set(), True),
    ],
)
async def test_a_number_that_the_file_lists_under_an_account_receives_from_that_one_only(
    inbound: InboundHarness, app: FastAPI, started: Started, listed: set[str], taken: bool
) -> None:
    await inbound.writes()
    number = frozenset({inbound.owner.sender})
    scopes = {
        name: AccountScope(numbers=number if name in listed else frozenset())
        for name in ("twilio", "other")
    }
    with restored(app):
        put_in(app, "consent", inbox=inbox(inbound.database, started, scopes))
        await inbound.twilio_tells("STOP", event_id="SM-listed")
    assert len(await inbound.stored()) == taken
    assert len(await inbound.consents()) == taken


async def test_the_simulator_delivers_to_a_listed_number_of_a_tenant_that_uses_it(
    inbound: InboundHarness, app: FastAPI, started: Started
) -> None:
    await inbound.writes()
    scopes = {"twilio": AccountScope(numbers=frozenset({inbound.owner.sender}))}
    with restored(app):
        put_in(app, "consent", inbox=inbox(inbound.database, started, scopes))
        await inbound.texts("STOP")
    assert len(await inbound.consents()) == 1
