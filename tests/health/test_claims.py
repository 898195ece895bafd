"""Claims by the state of circuits: the next account, a wait, or one probe for all workers."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from activities.messages.account_health import AccountHealth
from models.enums import AttemptState, ErrorCode, MessageStatus, MessageType
from models.rules.accounts.circuit import CircuitState, Tally
from models.rules.system.failures import TransientError
from models.session import Database
from providers.ports.messages import Answer, NotProcessed
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, NOT_PROCESSED, REFUSED, Scripted
from tests.activities.harness import Harness
from tests.factories import Owner, make_owner, unique
from tests.health.workers import Account
from workflows.messages.types import DispatchResult, Verdict

A, V = AttemptState, Verdict
SECOND = timedelta(seconds=1)
FAULT = NotProcessed(reason="401", account_fault=True)


@dataclass
class Worker:
    """The activities of one worker with its view of the accounts' health."""

    harness: Harness
    health: AccountHealth


@dataclass
class Stage:
    """Accounts and the workers that share their health."""

    database: Database
    owner: Owner
    accounts: list[Account]

    @property
    def first(self) -> Account:
        return self.accounts[0]

    def worker(self) -> Worker:
        names = [account.name for account in self.accounts]
        health = AccountHealth(self.database, lambda: names)
        providers = [account.provider for account in self.accounts]
        harness = Harness(self.database, self.owner, *providers, health=health)
        return Worker(harness, health)

    async def open(self, worker: Worker, account: Account | None = None) -> None:
        """Open a circuit by a fault of the account."""
        account = account or self.first
        account.record(worker.health, 1, FAULT, tenant=self.owner.tenant_id)
        await worker.health.settle()
        assert await account.state() is CircuitState.OPEN

    async def half_open(self, *workers: Worker) -> None:
        await self.open(workers[0])
        await self.first.pass_time(11)
        for worker in workers:
            await worker.health.settle()


def stage_of(database: Database, owner: Owner, *answers: tuple[Answer, ...]) -> Stage:
    providers = [Scripted(*given, name=unique("account")[:32]) for given in answers]
    return Stage(database, owner, [Account(database, provider) for provider in providers])


def verdicts(handed: list[DispatchResult]) -> Counter[Verdict]:
    return Counter(one.verdict for one in handed)


async def test_an_open_circuit_sends_messages_to_the_next_account(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (ACCEPTED,), (ACCEPTED,))
    worker = stage.worker()
    await stage.open(worker)
    handed = await worker.harness.dispatch(await worker.harness.accept())
    assert (handed.verdict, handed.provider) == (V.ACCEPTED, stage.accounts[1].name)
    assert stage.first.provider.sent == []


async def test_a_message_waits_while_all_circuits_are_open_and_is_sent_afterwards(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (ACCEPTED,), (ACCEPTED,))
    worker = stage.worker()
    for account in stage.accounts:
        await stage.open(worker, account)
    message_id = await worker.harness.accept()
    before = datetime.now(UTC)
    handed = await worker.harness.dispatch(message_id)
    assert handed.verdict is V.LATER
    assert handed.until is not None
    assert 9 * SECOND < handed.until - before < 21 * SECOND
    row = await worker.harness.message(message_id)
    assert (row.status, row.ready_at) == (MessageStatus.QUEUED, handed.until)
    assert row.sweep_at > handed.until
    assert await worker.harness.attempts(message_id) == []
    await stage.first.pass_time(11)
    await worker.health.settle()
    assert (await worker.harness.dispatch(message_id)).verdict is V.ACCEPTED


async def test_a_message_expires_while_it_waits(database: Database, owner: Owner) -> None:
    stage = stage_of(database, owner, (ACCEPTED,))
    worker = stage.worker()
    await stage.open(worker)
    accepted_at = datetime.now(UTC)
    message_id = await worker.harness.accept(accepted_at=accepted_at, valid_for=2 * SECOND)
    handed = await worker.harness.dispatch(message_id)
    assert handed == DispatchResult(verdict=V.LATER, until=accepted_at + 2 * SECOND)
    await asyncio.sleep(max(0.0, (accepted_at + 2 * SECOND - datetime.now(UTC)).total_seconds()))
    ended = await worker.harness.dispatch(message_id)
    assert ended == DispatchResult(verdict=V.BLOCKED, error_code=ErrorCode.EXPIRED)
    assert stage.first.provider.sent == []


async def test_of_50_racing_claims_of_two_workers_one_is_the_probe(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (ACCEPTED,))
    stage.first.provider.may_answer.clear()
    stage.first.provider.timeout = 10 * SECOND
    one, two = stage.worker(), stage.worker()
    await stage.half_open(one, two)
    ids = [await one.harness.accept() for _ in range(50)]
    calls = [
        asyncio.create_task((one if number % 2 else two).harness.dispatch(message_id))
        for number, message_id in enumerate(ids)
    ]
    await stage.first.provider.called()
    under_way = set(calls)
    while len(under_way) > 1:
        _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    assert len(stage.first.provider.sent) == 1
    stage.first.provider.may_answer.set()
    assert verdicts(await asyncio.gather(*calls)) == {V.LATER: 49, V.ACCEPTED: 1}
    for worker in (one, two, one):  # whichever made the probe, the other reads its outcome
        await worker.health.settle()
    assert await stage.first.state() is CircuitState.CLOSED
    waiting = [m for m in ids if not await one.harness.attempts(m)]
    handed = [await (one if m % 2 else two).harness.dispatch(m) for m in waiting]
    assert verdicts(handed) == {V.ACCEPTED: 49}
    assert len(stage.first.provider.sent) == 50


async def test_whoever_loses_the_probe_goes_to_the_next_account(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (ACCEPTED,), (ACCEPTED,))
    stage.first.provider.may_answer.clear()
    worker = stage.worker()
    await stage.half_open(worker)
    ids = [await worker.harness.accept() for _ in range(20)]
    calls = [asyncio.create_task(worker.harness.dispatch(message_id)) for message_id in ids]
    await stage.first.provider.called()
    await stage.accounts[1].provider.called(19)
    stage.first.provider.may_answer.set()
    handed = await asyncio.gather(*calls)
    assert verdicts(handed) == {V.ACCEPTED: 20}
    assert Counter(one.provider for one in handed)[stage.first.name] == 1


async def test_the_lease_of_a_killed_workers_probe_ends_with_its_attempt(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (ACCEPTED,))
    stage.first.provider.may_answer.clear()
    killed, worker = stage.worker(), stage.worker()
    await stage.half_open(killed, worker)
    message_id = await killed.harness.accept()
    call = asyncio.create_task(killed.harness.dispatch(message_id))
    await stage.first.provider.called()
    call.cancel()
    await asyncio.wait([call])
    stage.first.provider.may_answer.set()
    deadline = (
        await worker.harness.rows(
            "SELECT deadline FROM attempt WHERE tenant_id = :t AND message_id = :m", message_id
        )
    )[0].deadline
    lease = (await stage.first.reading()).circuit.probe_until
    assert lease is not None
    assert abs(lease - deadline) < SECOND / 2
    await worker.health.settle()
    other = await worker.harness.accept()
    assert (await worker.harness.dispatch(other)).verdict is V.LATER
    await stage.first.pass_time(4)
    await worker.health.settle()
    assert (await worker.harness.dispatch(other)).verdict is V.ACCEPTED
    await worker.health.settle()
    assert await stage.first.state() is CircuitState.CLOSED


async def test_the_outcome_of_a_probe_whose_lease_has_ended_changes_nothing(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (NOT_PROCESSED, ACCEPTED))
    late, worker = stage.worker(), stage.worker()
    await stage.half_open(late, worker)
    await late.harness.dispatch(await late.harness.accept())
    await stage.first.pass_time(4)
    await worker.harness.dispatch(await worker.harness.accept())
    await worker.health.settle()
    await late.health.settle()
    reading = await stage.first.reading()
    assert (reading.state, reading.circuit.openings) == (CircuitState.CLOSED, 1)


@pytest.mark.parametrize("answer", [NOT_PROCESSED, AMBIGUOUS, FAULT])
async def test_a_failed_probe_keeps_the_circuit_open_for_longer(
    database: Database, owner: Owner, answer: Answer
) -> None:
    stage = stage_of(database, owner, (answer,))
    worker = stage.worker()
    await stage.half_open(worker)
    await worker.harness.dispatch(await worker.harness.accept())
    await worker.health.settle()
    reading = await stage.first.reading()
    assert (reading.state, reading.circuit.openings) == (CircuitState.OPEN, 2)
    assert reading.circuit.open_until is not None
    assert reading.circuit.open_until - datetime.now(UTC) > 18 * SECOND
    assert (await worker.harness.dispatch(await worker.harness.accept())).verdict is V.LATER
    assert len(stage.first.provider.sent) == 1


async def test_a_refused_probe_closes_the_circuit(database: Database, owner: Owner) -> None:
    stage = stage_of(database, owner, (REFUSED,))
    worker = stage.worker()
    await stage.half_open(worker)
    await worker.harness.dispatch(await worker.harness.accept())
    await worker.health.settle()
    assert await stage.first.state() is CircuitState.CLOSED


async def test_what_failed_before_a_circuit_closed_does_not_open_it_again(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (ACCEPTED,))
    worker = stage.worker()
    stage.first.record(worker.health, 40, NOT_PROCESSED, tenant=owner.tenant_id)
    await worker.health.settle()
    await stage.first.pass_time(15)
    await worker.health.settle()
    await worker.harness.dispatch(await worker.harness.accept())
    await worker.health.settle()
    assert await stage.first.state() is CircuitState.CLOSED
    stage.first.record(worker.health, 1, NOT_PROCESSED, tenant=owner.tenant_id)
    await worker.health.settle()
    assert await stage.first.state() is CircuitState.CLOSED
    assert (await stage.first.reading()).total == Tally(attempts=42, failures=41)


async def test_a_claim_that_is_rolled_back_gives_the_lease_back(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (ACCEPTED,))
    worker = stage.worker()
    await stage.half_open(worker)
    deadline = datetime.now(UTC) + 3 * SECOND

    async def claim_that_has_too_little_time() -> None:
        async with database.transaction() as db:
            await worker.health.take_probe(db, stage.first.name, owner.tenant_id, deadline=deadline)
            raise TransientError("too little time is left for the call")

    with pytest.raises(TransientError):
        await claim_that_has_too_little_time()
    assert (await stage.first.reading()).circuit.probe_until is None
    await worker.health.settle()
    handed = await worker.harness.dispatch(await worker.harness.accept())
    assert handed.verdict is V.ACCEPTED


async def test_a_fault_of_the_account_never_fails_a_message(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (FAULT, ACCEPTED))
    worker = stage.worker()
    message_id = await worker.harness.accept()
    handed = await worker.harness.dispatch(message_id)
    assert (handed.verdict, handed.error_code) == (V.LATER, None)
    await worker.health.settle()
    assert (await worker.harness.dispatch(message_id)).verdict is V.LATER
    assert await worker.harness.attempts(message_id) == [(stage.first.name, A.NOT_PROCESSED)]
    await stage.first.pass_time(11)
    await worker.health.settle()
    assert (await worker.harness.dispatch(message_id)).verdict is V.ACCEPTED


async def test_a_fault_of_one_sender_goes_to_the_next_account_and_stops_nobody(
    database: Database, owner: Owner
) -> None:
    fault = NotProcessed(reason="sender", provider_code="21606", sender_fault=True)
    stage = stage_of(database, owner, (fault,), (ACCEPTED,))
    worker = stage.worker()
    message_id = await worker.harness.accept()
    assert (await worker.harness.dispatch(message_id)).verdict is V.LATER
    await worker.health.settle()
    assert (await worker.harness.dispatch(message_id)).provider == stage.accounts[1].name
    assert await stage.first.state() is CircuitState.CLOSED
    assert (await stage.first.reading()).last_error == "sender 21606"


async def test_a_failing_account_is_not_hurried_while_the_other_is_open(
    database: Database, owner: Owner
) -> None:
    stage = stage_of(database, owner, (NOT_PROCESSED,), (ACCEPTED,))
    worker = stage.worker()
    await stage.open(worker, stage.accounts[1])
    before = datetime.now(UTC)
    handed = await worker.harness.dispatch(await worker.harness.accept())
    assert handed.verdict is V.LATER
    assert handed.until is not None
    assert handed.until - before >= SECOND


async def test_one_tenants_recipients_do_not_hold_back_another_tenant(database: Database) -> None:
    owners = [await make_owner(database), await make_owner(database)]
    stage = stage_of(database, owners[0], (AMBIGUOUS,))
    worker = stage.worker()
    for _ in range(20):
        await worker.harness.dispatch(await worker.harness.accept())
    await worker.health.settle()
    assert (await worker.harness.dispatch(await worker.harness.accept())).verdict is V.LATER
    other = Stage(database, owners[1], stage.accounts).worker()
    await other.health.settle()
    handed = await other.harness.dispatch(await other.harness.accept(type=MessageType.OTP))
    assert handed.verdict is V.AMBIGUOUS  # it was handed over


async def test_waiting_messages_do_not_wake_up_together(database: Database, owner: Owner) -> None:
    stage = stage_of(database, owner, (ACCEPTED,))
    worker = stage.worker()
    await stage.open(worker)
    found = [
        worker.health.unavailable(owner.tenant_id, number, urgent=False)[stage.first.name]
        for number in range(1000)
    ]
    first = min(found)
    per_second = Counter(int((until - first).total_seconds()) for until in found)
    assert set(per_second) == set(range(10))
    assert max(per_second.values()) < 200
    urgent = [
        worker.health.unavailable(owner.tenant_id, number, urgent=True)[stage.first.name]
        for number in range(1000)
    ]
    assert max(urgent) - first < 2.1 * SECOND
