"""In LIVE mode, too, a batch comes to what the same sends one after another come to."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.routed_senders import RoutedSenders
from models.enums import Channel, MessageType
from models.queries.senders.candidates import AccountSenders
from models.queries.senders.chosen_sender import find_senders
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.doubles import Clock, FakeStarter
from tests.api.integrator import Integrator
from tests.api.messages.test_routed_senders import add_number, live
from tests.batches.accepting.harness import Batches, Line, number, sms
from tests.batches.accepting.twins import World, make_twin, send_singly, state_of
from tests.contacts import key_of
from tests.senders.accounts import ScriptedAccount, routes_of, scope_of
from tests.unit.accounts.test_routing_table import Row

OTP, NOTICE = MessageType.OTP, MessageType.TRANSACTIONAL
LINES: list[Line] = [
    *(sms(number(1), type=OTP) for _ in range(7)),  # five in ten minutes
    *(sms(number(2), type=kind) for kind in (NOTICE, OTP, NOTICE, OTP)),
    sms("+447400123456"),  # this country is not allowed
    sms("+4915123456789"),
    sms("+4915123456789", type=OTP),
    *(sms(number(1000 + place)) for place in range(110)),  # 100 new recipients in an hour
    sms(number(1003)),
    sms("+14045550100"),
]


async def make_live(database: Database, client: httpx.AsyncClient) -> tuple[Integrator, list[str]]:
    """Create a tenant whose merchant has a number at each of two accounts."""
    twin = await live(await make_twin(database, client, World(allowance=1000)), database)
    prefixes = ("+1212557", "+1213557")
    return twin, [await add_number(twin, database, prefix) for prefix in prefixes]


async def senders_of(database: Database, twin: Integrator) -> list[Any]:
    """Return recipient, type and the beginning of the sender of every message."""
    async with database.read() as db:
        rows = await db.execute(
            text(
                "SELECT to_contact, type, left(sender, 8) FROM message"
                " WHERE tenant_id = :t ORDER BY id"
            ),
            {"t": twin.tenant_id},
        )
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("page", [1, 100])
async def test_accounts_limits_and_countries(
    harness: None,
    app: FastAPI,
    batches: Batches,
    client: httpx.AsyncClient,
    database: Database,
    starter: FakeStarter,
    clock: Clock,
    page: int,
) -> None:
    (one, ours), (other, theirs) = [await make_live(database, client) for _ in range(2)]
    first, second = zip(ours, theirs, strict=True)
    phone = frozenset({Channel.SMS})
    a, b = ScriptedAccount("a", channels=phone), ScriptedAccount("b", channels=phone)
    routes = routes_of({a: scope_of(*first), b: scope_of(*second)}, Row(type=OTP, accounts=("b",)))
    links = UnsubscribeLinks("http://api.test", "only-for-tests-too")
    sending = Sending(
        database,
        starter,
        Permissions(database, links, RoutedSenders(routes)),
        admission=Admission(database, limit=100_000, lag_allowed=timedelta(days=36_500)),
        start_within=timedelta(minutes=1),
        clock=clock,
    )
    with restored(app):
        put_in(app, "messages", sending=sending)
        expected = await send_singly(one, LINES, Channel.SMS)
    batch = await batches.store(other.tenant_id, LINES)
    await batches.accept_all(batch, batches.acceptance(routes=routes, page=page))
    codes = await batches.codes(batch)
    assert codes == [outcome.code for outcome in expected]
    assert {"DESTINATION_LIMITED", "DESTINATION_NOT_ALLOWED", None} <= set(codes)
    assert await senders_of(database, other) == await senders_of(database, one)
    assert {sender for _, _, sender in await senders_of(database, other)} == {
        "+1212557",
        "+1213557",
    }
    assert await state_of(database, other) == await state_of(database, one)


async def test_a_sender_follows_the_message_before_it(
    harness: None, batches: Batches, client: httpx.AsyncClient, database: Database
) -> None:
    """An OTP goes by an account that does not own the sender of what follows."""
    gym, (_, of_b) = await make_live(database, client)
    of_a = [await add_number(gym, database, prefix) for prefix in ("+1214557", "+1215557")]
    phone = frozenset({Channel.SMS})
    a, b = ScriptedAccount("a", channels=phone), ScriptedAccount("b", channels=phone)
    routes = routes_of({a: scope_of(*of_a), b: scope_of(of_b)}, Row(type=OTP, accounts=("b",)))
    contacts = [number(place) for place in range(20)]
    async with database.read() as db:
        chosen = await find_senders(
            db,
            tenant_id=gym.tenant_id,
            merchant="gym-a",
            channel=Channel.SMS,
            keys=[key_of(contact) for contact in contacts],
            owned=AccountSenders(account="a", listed=of_a),
        )
    lines = [sms(contact, type=kind) for contact in contacts for kind in (OTP, NOTICE)]
    batch = await batches.store(gym.tenant_id, lines)
    pages = await batches.accept_all(batch, batches.acceptance(routes=routes))
    messages = await batches.messages(gym.tenant_id)
    assert {m.sender for m in messages if m.type == OTP} == {of_b}
    assert {m.to_contact: m.sender for m in messages if m.type == NOTICE} == {
        contact: chosen[key_of(contact)].number for contact in contacts
    }
    assert len(pages) == 21  # no page has a recipient twice
