"""Equal texts of tenants that share an account, and of names that share one at the vendor."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from models.queries.messages import dispatch
from models.session import Database
from tests.activities.harness import Harness
from tests.activities.lister import Fate, Lister
from tests.factories import Owner, make_owner
from workflows.messages.types import Finding

HOUR = timedelta(hours=1)
ARRIVED, VANISHED = Fate(taken=True), Fate(taken=False)
ANSWERED = Fate(taken=True, answered=True)


async def test_tenants_that_share_account_and_sender_are_counted_together(
    database: Database, owner: Owner
) -> None:
    vendor = Lister(ARRIVED, absence_window=HOUR)
    mine = Harness(database, owner, vendor)
    theirs = Harness(database, await make_owner(database), vendor)
    lost_one, calling = await mine.accept(), await theirs.accept()
    await mine.dispatch(lost_one)
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE message SET sender = :sender WHERE id = :m"),
            {"sender": owner.sender, "m": calling},
        )
        await dispatch.claim(
            db,
            tenant_id=theirs.owner.tenant_id,
            message_id=calling,
            number=1,
            provider="lister",
            account="lister",
            now=datetime.now(UTC),
            deadline=datetime.now(UTC),
            listed=True,
        )
    assert (await mine.reconcile(lost_one)).finding is Finding.UNCERTAIN
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE attempt SET state = 'NOT_PROCESSED' WHERE message_id = :m"), {"m": calling}
        )
    assert (await mine.reconcile(lost_one)).finding is Finding.FOUND


async def test_two_names_of_one_account_at_the_vendor_are_counted_together(
    database: Database, owner: Owner
) -> None:
    """Their lists are one, so the only listed message may be the other one's."""
    vendors = Lister(VANISHED, absence_window=HOUR), Lister(ANSWERED, absence_window=HOUR)
    for vendor, account in zip(vendors, ("first", "second"), strict=True):
        vendor.account = account
        vendor.taken = vendors[0].taken
    lost_one, answered = Harness(database, owner, vendors[0]), Harness(database, owner, vendors[1])
    messages = await lost_one.accept(), await answered.accept()
    await lost_one.dispatch(messages[0])
    await answered.dispatch(messages[1])
    assert len(vendors[0].taken) == 1
    assert (await lost_one.reconcile(messages[0])).finding is Finding.UNCERTAIN
