"""What a worker's sweeper looks for every second, not once per turn."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from cli.worker.composition import assemble
from models.queries.messages.batches.identity import find_start
from models.session import Database
from models.settings import Settings
from providers.routing import Routes
from providers.vendors import Vendors
from tests.api.doubles import Clock
from tests.batches.accepting.harness import GRACE, Batches, number, sms
from tests.factories import Owner


async def test_a_batch_whose_api_was_killed_is_started_before_the_next_turn(
    database: Database, owner: Owner, client: Client
) -> None:
    """It becomes due after the turn has begun, and a turn takes as long as the sweep here."""
    settings = Settings(
        database_url=SecretStr("postgresql://nowhere"), sweep_every=timedelta(seconds=5)
    )
    parts = assemble(settings, database, client, Vendors(routes=Routes([], {})))
    due_in = timedelta(seconds=1)
    batches = Batches(database, Clock(now=datetime.now(UTC) - GRACE + due_in))
    batch = await batches.store(owner.tenant_id, [sms(number(1))], merchant=owner.merchant)
    await ActivityEnvironment().run(parts.sweeping.sweep)
    async with database.read() as db:
        start = await find_start(db, batch.tenant_id, batch.batch_id)
    handle = client.get_workflow_handle(start.workflow_id)
    assert (await handle.describe()).workflow_type == "send-batch"
    await handle.terminate()
