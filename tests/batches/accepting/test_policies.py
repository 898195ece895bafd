"""What is read for several contacts at once is what is read for each of them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from models.enums import Channel, ConsentStatus, DeliveryMode, SuppressionReason
from models.queries.consent.send_policy import find_policies, find_policy
from models.queries.senders.candidates import AccountSenders
from models.queries.senders.chosen_sender import find_sender, find_senders
from models.session import Database
from models.tables.tenant import SenderNumber
from tests.api.integrator import suppress_contact
from tests.batches.accepting.harness import number
from tests.contacts import key_of
from tests.delivery_modes import make_over
from tests.factories import Owner, make_message, new_message, say

CONTACTS = [number(place) for place in range(40)]
KEYS = [key_of(contact) for contact in CONTACTS]


async def add_numbers(
    database: Database, owner: Owner, count: int, *, own: bool, account: str | None = None
) -> list[str]:
    """Add numbers to a merchant, every second one registered, or to its tenant's pool."""
    now = datetime.now(UTC)
    # No other test has numbers of this kind; those of the registry have 555 in them.
    first = 12_147_000_000 + owner.tenant_id % 20_000 * 100 + (50 if own else 0)
    numbers = [f"+{first + place}" for place in range(count)]
    async with database.transaction() as db:
        db.add_all(
            SenderNumber(
                number=of,
                tenant_id=owner.tenant_id,
                merchant_id=owner.merchant_id if own else None,
                registered_at=now if own and place % 2 else None,
                account=account if place % 3 else None,
                created_at=now,
            )
            for place, of in enumerate(numbers)
        )
    return numbers


async def remember(database: Database, owner: Owner, senders: Sequence[str]) -> None:
    """Send to some of the contacts from different numbers."""
    for place, sender in enumerate(senders):
        message_id = await make_message(database, new_message(owner, to=CONTACTS[place]))
        async with database.transaction() as db:
            await db.execute(
                text("UPDATE message SET sender = :s WHERE tenant_id = :t AND id = :m"),
                {"s": sender, "t": owner.tenant_id, "m": message_id},
            )


@pytest.mark.parametrize("live", [False, True], ids=["simulator", "live"])
@pytest.mark.parametrize(("pool", "own"), [(0, 0), (0, 1), (3, 0), (9, 0), (2, 2), (0, 9)])
async def test_policies(database: Database, owner: Owner, pool: int, own: int, live: bool) -> None:
    numbers = await add_numbers(database, owner, pool, own=False)
    numbers += await add_numbers(database, owner, own, own=True)
    await remember(database, owner, numbers)
    for place in range(0, 40, 4):
        status = ConsentStatus.OPT_OUT if place % 3 else ConsentStatus.OPT_IN
        await say(database, owner, contact=CONTACTS[place], status=status)
    for place in (0, 1, 2):
        for reason in (SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT):
            await suppress_contact(
                database, owner.tenant_id, owner.merchant_id, Channel.SMS, CONTACTS[place], reason
            )
    if live:
        async with database.transaction() as db:
            await make_over(db, owner.tenant_id, DeliveryMode.LIVE)
    merchant = {"tenant_id": owner.tenant_id, "merchant": owner.merchant}
    async with database.read() as db:
        for channel in Channel:
            single = {
                key: await find_policy(db, **merchant, channel=channel, contact_keys=[key])  # type: ignore[arg-type]
                for key in KEYS
            }
            several = await find_policies(db, **merchant, channel=channel, contact_keys=KEYS)  # type: ignore[arg-type]
            assert several == single
    if pool + own > 3:
        senders = {policy.sender for policy in several.values()}
        assert senders


async def test_an_unknown_merchant_has_none(database: Database, owner: Owner) -> None:
    async with database.read() as db:
        found = await find_policies(
            db,
            tenant_id=owner.tenant_id,
            merchant="nobody",
            channel=Channel.SMS,
            contact_keys=KEYS,
        )
    assert found == {}


@pytest.mark.parametrize("own", [True, False], ids=["own", "pool"])
async def test_numbers_of_an_account(database: Database, owner: Owner, own: bool) -> None:
    numbers = await add_numbers(database, owner, 12, own=own, account="acme")
    await remember(database, owner, numbers)
    async with database.transaction() as db:
        await make_over(db, owner.tenant_id, DeliveryMode.LIVE)
    owned = AccountSenders(account="acme", listed=numbers[:3])
    async with database.read() as db:
        single = {
            key: await find_sender(
                db,
                tenant_id=owner.tenant_id,
                merchant=owner.merchant,
                channel=Channel.SMS,
                key=key,
                owned=owned,
            )
            for key in KEYS
        }
        several = await find_senders(
            db,
            tenant_id=owner.tenant_id,
            merchant=owner.merchant,
            channel=Channel.SMS,
            keys=KEYS,
            owned=owned,
        )
    assert several == single
    assert len({chosen.number for chosen in several.values()}) > 3
