"""Records the history of each path of a workflow: `python -m tests.replay.record [name …]`.

Without a name only missing ones are recorded: running workflows depend on a stored history, so it
is never edited. Steps are faked, everything else is as in production: a real server, the real
start, and short real waits.
"""

import asyncio
import gc
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.system.privacy import PrivateFailures
from cli.dev.temporal import EmbeddedTemporal
from models.enums import Channel, MessageStatus, MessageType
from models.rules.messages.identity import SendStart
from models.rules.waits import SendWaits
from tests.fakes import (
    ABSENT,
    ACCEPTED,
    ACCEPTED_AND_REPORTED,
    AMBIGUOUS,
    BLOCKED,
    CANCELED,
    DELIVERED,
    FAILED,
    FOUND,
    FOUND_AND_REPORTED,
    LATER,
    NOT_YET,
    OVER,
    REFUSED,
    SILENT,
    TOLD,
    UNCERTAIN,
    UNKNOWN,
    fake,
)
from tests.replay import batches, chunks, registrations, webhooks
from tests.replay.portable_histories import IDENTITY, portable
from tests.replay.upgrades import UPGRADES, record_upgrade
from tests.workflows.harness import until
from workflows import names, steps
from workflows.billing.close_days import CloseDays
from workflows.billing.close_days_types import CloseDaysResult
from workflows.client import register_search_attributes
from workflows.messages.start import SendSignal, start_send, wake_send
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    Verdict,
)
from workflows.messages.workflow import SendMessage
from workflows.payloads import data_converter
from workflows.senders.types import SenderQueueResult, SenderQueueStep
from workflows.senders.workflow import SenderQueue
from workflows.system.sweeper import Sweeper
from workflows.system.sweeper_types import SweepResult
from workflows.system.watcher import Watcher
from workflows.system.watcher_types import WatchResult, WatchStep
from workflows.voice.start import start_provisioning
from workflows.voice.types import Provisioned, ProvisionInput, ProvisionResult
from workflows.worker_registry import WORKFLOWS

HISTORIES: Final = Path(__file__).parent / "histories"


_WAITS: Final = SendWaits(
    report_wait=timedelta(seconds=0.6),
    poll_first=timedelta(seconds=0.2),
    poll_longest=timedelta(seconds=0.4),
    reconcile_every=timedelta(seconds=0.2),
    reconcile_horizon=timedelta(seconds=1.5),
)


@dataclass(frozen=True, kw_only=True)
class Script:
    """Answers of the steps, and after how many timers which signals arrive.

    The last answer of `poll`, `reconcile` and `sweep` is repeated.
    """

    dispatch: Sequence[Any] = ()
    dispatch_queued: Sequence[Any] = ()
    reconcile: Sequence[Any] = ()
    poll: Sequence[Any] = ()
    settle: Sequence[Any] = ()
    signal_after: Sequence[int] = ()
    signal: SendSignal = SendSignal.REPORTED


def _due_soon(_: DispatchStep) -> DispatchResult:
    return DispatchResult(
        verdict=Verdict.LATER, until=datetime.now(UTC) + timedelta(milliseconds=400)
    )


_DUE_LATE = DispatchResult(verdict=Verdict.LATER, until=datetime(2100, 1, 1, tzinfo=UTC))
_QUEUED = DispatchResult(verdict=Verdict.QUEUED_FOR_SENDER, until=datetime(2100, 1, 1, tzinfo=UTC))
_BUSY = DispatchResult(verdict=Verdict.BUSY, provider="simulator")
_AWAY = ConnectionError("no database")

SENDS: Final = {
    "accepted": Script(dispatch=[ACCEPTED], settle=[DELIVERED], signal_after=[1]),
    "report-stored": Script(dispatch=[ACCEPTED_AND_REPORTED], settle=[DELIVERED]),
    "settled-inline": Script(dispatch=[replace(ACCEPTED_AND_REPORTED, settled=DELIVERED)]),
    "refused": Script(dispatch=[REFUSED], settle=[FAILED]),
    "blocked": Script(dispatch=[BLOCKED], settle=[FAILED]),
    "over": Script(dispatch=[OVER], settle=[DELIVERED]),
    "scheduled": Script(dispatch=[_due_soon, ACCEPTED_AND_REPORTED], settle=[DELIVERED]),
    "canceled": Script(
        dispatch=[_DUE_LATE, OVER],
        settle=[CANCELED],
        signal_after=[1],
        signal=SendSignal.ROW_CHANGED,
    ),
    "queued-for-sender": Script(
        dispatch=[_QUEUED, ACCEPTED_AND_REPORTED],
        settle=[DELIVERED],
        signal_after=[1],
        signal=SendSignal.ROW_CHANGED,
    ),
    "next-provider": Script(dispatch=[LATER, ACCEPTED_AND_REPORTED], settle=[DELIVERED]),
    "busy": Script(
        dispatch=[_BUSY], dispatch_queued=[ACCEPTED], settle=[DELIVERED], signal_after=[1]
    ),
    "dispatch-retried": Script(
        dispatch=[*[_AWAY] * 4, ACCEPTED_AND_REPORTED], settle=[_AWAY, DELIVERED]
    ),
    "ambiguous-found": Script(
        dispatch=[AMBIGUOUS], reconcile=[UNCERTAIN, FOUND], settle=[DELIVERED], signal_after=[2]
    ),
    "ambiguous-found-reported": Script(
        dispatch=[AMBIGUOUS],
        reconcile=[UNCERTAIN, FOUND_AND_REPORTED],
        settle=[DELIVERED],
        signal_after=[1],
    ),
    "ambiguous-absent": Script(
        dispatch=[AMBIGUOUS, ACCEPTED],
        reconcile=[UNCERTAIN, ABSENT],
        settle=[DELIVERED],
        signal_after=[2],
    ),
    "ambiguous-unknown": Script(dispatch=[AMBIGUOUS], reconcile=[UNCERTAIN], settle=[UNKNOWN]),
    "polled": Script(dispatch=[ACCEPTED], poll=[SILENT, _AWAY, TOLD], settle=[DELIVERED]),
    "given-up-after-sent": Script(dispatch=[ACCEPTED], poll=[SILENT], settle=[UNKNOWN]),
    "several-reports": Script(
        dispatch=[ACCEPTED], settle=[NOT_YET, DELIVERED], signal_after=[1, 2]
    ),
    "not-over": Script(dispatch=[OVER], settle=[NOT_YET, DELIVERED], signal_after=[1]),
}
"""Every path of a send. A new branch of the workflow needs a new line here."""

SWEEPER: Final = "sweeper.turns"
SENDER_QUEUE: Final = "sender-queue.turns"
PROVISION: Final = "provision-voice.declined"
CLOSING: Final = "close-days.batches"
WATCHER: Final = "watcher.turns"
PATHS: Final = [
    *(f"send-message.{path}" for path in SENDS),
    *(f"upgrade.{path}" for path in UPGRADES),
    SWEEPER,
    SENDER_QUEUE,
    PROVISION,
    CLOSING,
    WATCHER,
    *batches.PATHS,
    *chunks.PATHS,
    *registrations.PATHS,
    *webhooks.PATHS,
]


async def record(client: Client, name: str) -> dict[str, Any]:
    """Run one path and return its history."""
    serve = partial(_worker, client, workflows=WORKFLOWS)
    if name in _SINGLE:
        history = await _SINGLE[name](client)
    elif name in chunks.PATHS:
        history = await chunks.record_chunk(client, name, _WAITS, serve)
    elif name in batches.PATHS:
        history = await batches.record_batch(client, name, _WAITS, serve, _timers_set)
    elif name in registrations.PATHS:
        history = await registrations.record_workflow(client, name, serve, _timers_set)
    elif name in webhooks.PATHS:
        history = await webhooks.record_webhooks(client, name, serve, _timers_set)
    elif name.startswith("upgrade."):
        history = await record_upgrade(client, name.removeprefix("upgrade."), _worker, _timers_set)
    else:
        path = name.removeprefix("send-message.")
        history = await _record_send(client, path, SENDS[path])
    return {key: portable(value) for key, value in history.items()}


async def _record_send(client: Client, path: str, script: Script) -> dict[str, Any]:
    number = list(SENDS).index(path) + 1
    send = SendStart(
        tenant_id=1,
        tenant_public_id=10**15,
        message_id=number,
        public_id=10**15 + number,
        merchant_id=1,
        merchant="shop",
        channel=Channel.SMS,
        type=MessageType.TRANSACTIONAL,
        operation="send-sms",
        scope="",
        idempotency_key=path,
    )
    handle: WorkflowHandle[SendMessage, MessageStatus]
    handle = client.get_workflow_handle(send.workflow_id)
    activities = [
        fake(steps.dispatch, *script.dispatch)[0],
        fake(steps.reconcile, *script.reconcile, repeat_last=True)[0],
        fake(steps.poll, *script.poll, repeat_last=True)[0],
        fake(steps.settle, *script.settle)[0],
    ]
    queued = fake(steps.dispatch_queued, *script.dispatch_queued)[0]
    async with (
        _worker(client, names.MESSAGES, activities, workflows=WORKFLOWS),
        _worker(client, names.provider_queue("simulator"), [queued]),
    ):
        await start_send(client, send, _WAITS)
        for timers in script.signal_after:
            await until(_timers_set(handle, timers))
            await wake_send(client, send.workflow_id, script.signal)
        await handle.result()
    return (await handle.fetch_history()).to_json_dict()


async def _record_sweeper(client: Client) -> dict[str, Any]:
    """Record a few turns of a run that continues: a complete one has thousands of events."""
    turn = SweepResult(started=1, applied=0, next_in=timedelta(seconds=0.2))
    sweep, _ = fake(steps.sweep, _AWAY, turn, repeat_last=True)
    async with _worker(client, names.HOUSEKEEPING, [sweep], workflows=WORKFLOWS):
        handle = await client.start_workflow(
            Sweeper.run, id=names.SWEEPER_ID, task_queue=names.HOUSEKEEPING
        )
        await until(_timers_set(handle, 4))
        history = await handle.fetch_history()
        await handle.terminate()
    return history.to_json_dict()


async def _record_sender_queue(client: Client) -> dict[str, Any]:
    """Record a queue that grants slots, empties, fills again during the check, and ends."""
    step = SenderQueueStep(tenant_id=1, sender_id=1, sender_public_id=1, channel=Channel.SMS)
    soon = SenderQueueResult(granted=2, next_in=timedelta(seconds=0.2))
    far = SenderQueueResult(granted=1, next_in=timedelta(hours=1))
    grant_sender_slots, _ = fake(
        steps.grant_sender_slots,
        _AWAY,
        soon,
        far,
        SenderQueueResult(granted=1, next_in=None),
    )
    async with _worker(client, names.HOUSEKEEPING, [grant_sender_slots], workflows=WORKFLOWS):
        handle = await client.start_workflow(
            SenderQueue.run, step, id="sender-queue/1/1/SMS", task_queue=names.HOUSEKEEPING
        )
        await until(_timers_set(handle, 3))  # the first is that of the retried step
        await handle.signal(SenderQueue.message_queued)
        await handle.result()
        return (await handle.fetch_history()).to_json_dict()


async def _record_provision(client: Client) -> dict[str, Any]:
    """Record a directory that is unreachable, then declines, and accepts the user a minute
    later.
    """
    user = ProvisionInput(tenant_id=1, credential_id=1, public_id=1, version=1)
    declined = ProvisionResult(outcome=Provisioned.DECLINED)
    stored = ProvisionResult(outcome=Provisioned.STORED)
    told, _ = fake(steps.provision_voice, _AWAY, declined, stored)
    async with _worker(client, names.REGISTRATION, [told], workflows=WORKFLOWS):
        await start_provisioning(client, user)
        handle = client.get_workflow_handle(names.provision_id(1, 1, 1))
        await handle.result()
        return (await handle.fetch_history()).to_json_dict()


async def _record_closing(client: Client) -> dict[str, Any]:
    """Record two batches, of which the second is retried."""
    close_days, _ = fake(
        steps.close_days,
        CloseDaysResult(closed=2, held=1, after=200),
        _AWAY,
        CloseDaysResult(closed=3, failed=1),
    )
    async with _worker(client, names.HOUSEKEEPING, [close_days], workflows=WORKFLOWS):
        handle = await client.start_workflow(
            CloseDays.run, id=names.CLOSE_DAYS_ID, task_queue=names.HOUSEKEEPING
        )
        await handle.result()
        return (await handle.fetch_history()).to_json_dict()


async def _record_watcher(client: Client) -> dict[str, Any]:
    """Record a few turns of a run that continues, each from another merchant."""
    soon = timedelta(seconds=0.2)
    turns = [
        WatchResult(moved=1, following=WatchStep(after_tenant=1, after_merchant=n), next_in=soon)
        for n in (300, 600)
    ]
    begun_anew = WatchResult(moved=0, following=WatchStep(), next_in=soon)
    watch, _ = fake(steps.watch, turns[0], _AWAY, turns[1], begun_anew, repeat_last=True)
    async with _worker(client, names.HOUSEKEEPING, [watch], workflows=WORKFLOWS):
        handle = await client.start_workflow(
            Watcher.run, WatchStep(), id=names.WATCHER_ID, task_queue=names.HOUSEKEEPING
        )
        await until(_timers_set(handle, 4))
        history = await handle.fetch_history()
        await handle.terminate()
    return history.to_json_dict()


_SINGLE: Final = {
    SWEEPER: _record_sweeper,
    SENDER_QUEUE: _record_sender_queue,
    PROVISION: _record_provision,
    CLOSING: _record_closing,
    WATCHER: _record_watcher,
}
"""Workflows of which one path is recorded."""


def _worker(client: Client, queue: str, activities: list[Any], **options: Any) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        activities=activities,
        identity=IDENTITY,
        interceptors=[PrivateFailures()],
        **options,
    )


def _timers_set(handle: WorkflowHandle[Any, Any], times: int) -> Callable[[], Awaitable[bool]]:
    async def are_set() -> bool:
        events = (await handle.fetch_history()).events
        started = EventType.EVENT_TYPE_TIMER_STARTED
        return sum(event.event_type == started for event in events) >= times

    return are_set


async def record_all(wanted: Sequence[str]) -> None:
    """Record the requested paths into their files."""
    console = Console()
    with EmbeddedTemporal() as server:
        client = await Client.connect(
            server.address, data_converter=data_converter, identity=IDENTITY
        )
        await register_search_attributes(client)
        for name in wanted:
            history = await record(client, name)
            file = HISTORIES / f"{name}.json"
            file.write_text(json.dumps(history, indent=1) + "\n")
            console.print(f"recorded {file.name}")


def main() -> None:
    """Record the named paths, or the missing ones."""
    logging.disable(logging.WARNING)  # steps fail on purpose
    missing = [name for name in PATHS if not (HISTORIES / f"{name}.json").exists()]
    asyncio.run(record_all(sys.argv[1:] or missing))
    # A process that exits right after using a Temporal client may abort (sdk-python#300).
    gc.collect()
    time.sleep(0.2)


if __name__ == "__main__":
    main()
