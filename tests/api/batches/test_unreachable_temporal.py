"""A batch is stored and canceled also while Temporal cannot be reached: the sweeper starts it."""

from datetime import timedelta

from fastapi import FastAPI
from temporalio.client import Client

from api.composition import BatchServices
from api.services.messages.batches.cancel import BatchCanceling
from api.services.messages.batches.receiving_slots import ReceivingSlots
from api.services.messages.batches.store import BatchStoring
from api.workflow_starters import BatchStarter
from models.session import Database
from tests.api.batches.bodies import PATH, batch, stored
from tests.api.container import put_in, services_of
from tests.api.doubles import Clock
from tests.api.integrator import Integrator
from tests.stack import free_port
from tests.workflows.harness import WAITS
from workflows.payloads import data_converter


async def test_it_is_left_to_the_sweeper(
    app: FastAPI, gym: Integrator, database: Database, clock: Clock
) -> None:
    nobody = await Client.connect(
        f"127.0.0.1:{free_port()}", data_converter=data_converter, lazy=True
    )
    reads = services_of(app).messages.batches.reads
    tools = (database, BatchStarter(nobody, WAITS), reads)
    soon = timedelta(seconds=2)
    batches = BatchServices(
        slots=ReceivingSlots(),
        storing=BatchStoring(*tools, start_within=soon, clock=clock),
        reads=reads,
        canceling=BatchCanceling(*tools, start_within=soon, clock=clock),
    )
    put_in(app, "messages", batches=batches)  # the fixture `gym` restores it
    answer = await gym.post(PATH, batch(1), key="k")
    assert (answer.status_code, answer.json()["status"]) == (200, "ACCEPTING")
    id = answer.json()["batchId"]
    canceled = await gym.post(f"{PATH}/{id}/cancel", None)
    assert (canceled.status_code, canceled.json()["status"]) == (200, "CANCELED")
    (row,) = await stored(database, gym.tenant_id)
    assert row.sweep_at == clock.now + soon
