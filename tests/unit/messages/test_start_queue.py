"""The API's queue of workflow starts: nobody waits for it, and what is urgent goes first."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.service import RPCError, RPCStatusCode

from api.start_queue import (
    BULK_OF_TENANT,
    SLOTS,
    SLOTS_FOR_OTP,
    SLOTS_OF_TENANT,
    Reachability,
    StartQueue,
)
from models import logs
from models.rules.messages.identity import SendStart
from models.rules.messages.priorities import priority_of
from tests.unit.messages.starts import (
    BULK,
    OTP,
    WITHIN,
    Server,
    Time,
    ask,
    end,
    full,
    queue_to,
    send,
    settle,
)


async def test_a_start_runs_beside_its_caller() -> None:
    started: list[SendStart] = []
    server = Server()
    queue = queue_to(server, on_started=started.append)
    wanted = send()
    queue.start(wanted)
    assert server.begun == [], "the caller answers first"
    await settle()
    assert (server.begun, started) == ([wanted], [])
    await server.answer()
    assert started == [wanted]


async def test_a_start_goes_on_when_its_caller_is_cancelled() -> None:
    server = Server()
    queue = queue_to(server)
    tasks_begun = asyncio.Event()

    async def request(wanted: SendStart) -> None:
        queue.start(wanted)
        tasks_begun.set()
        await asyncio.Event().wait()

    ask(queue, *full())
    cut_off = [send(7, OTP), send(7, BULK)]
    requests = [asyncio.create_task(request(each)) for each in cut_off]
    await tasks_begun.wait()
    for each in requests:
        each.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    await end(queue, server)
    assert [each for each in server.begun if each.tenant_id == 7] == cut_off


async def test_a_repeated_request_is_no_second_start() -> None:
    server = Server()
    queue = queue_to(server)
    running, waiting = send(1), send(2, BULK)
    ask(queue, running, *full(), waiting)
    await settle()
    ask(queue, *(replace(each) for each in [running, waiting] * 100))
    await end(queue, server)
    assert (server.begun.count(running), server.begun.count(waiting)) == (1, 1)
    again = queue_to(server)
    ask(again, replace(running))
    await end(again, server)
    assert server.begun.count(running) == 2, "one that has ended may be started again"


async def test_a_start_logs_the_ids_of_its_own_request() -> None:
    seen: list[int | None] = []
    server = Server()

    async def start(send: SendStart) -> None:
        await server.start(send)
        seen.append(logs.message_id.get())

    queue = StartQueue(
        start,
        Reachability(Time()),
        priority=lambda send: priority_of(send.type),
        start_within=WITHIN,
        clock=Time(),
    )
    wanted = [*full(), *(send(tenant, BULK) for tenant in range(20))]
    for each in wanted:
        logs.message_id.set(each.message_id)
        queue.start(each)
    await end(queue, server)
    assert seen == [each.message_id for each in server.begun]
    assert len(seen) == len(wanted)


async def test_bulk_leaves_slots_to_otps() -> None:
    server = Server()
    queue = queue_to(server)
    ask(queue, *full())
    await settle()
    assert len(server.begun) == SLOTS - SLOTS_FOR_OTP
    otp = send(2)
    ask(queue, otp)
    await settle()
    assert server.begun[-1] is otp
    await end(queue, server)


async def test_one_tenants_starts_leave_slots_to_others() -> None:
    server = Server()
    server.mute.add(1)
    queue = queue_to(server, drain=0)
    ask(queue, *(send(1) for _ in range(SLOTS)))
    await settle()
    assert len(server.begun) == SLOTS_OF_TENANT
    other = send(2)
    ask(queue, other)
    await settle()
    assert server.begun[-1] is other
    await queue.close()


async def test_one_tenants_bulk_leaves_slots_to_its_own_otps() -> None:
    server = Server()
    queue = queue_to(server)
    ask(queue, *(send(1, BULK) for _ in range(SLOTS)))
    await settle()
    assert len(server.begun) == BULK_OF_TENANT
    otp = send(1)
    ask(queue, otp)
    await settle()
    assert server.begun[-1] is otp
    await end(queue, server)


async def test_higher_priorities_go_first_and_tenants_take_turns() -> None:
    server = Server()
    queue = queue_to(server)
    ask(queue, *full())
    ask(queue, *(send(tenant) for tenant in (81, 82, 83, 84)))
    await settle()
    before = len(server.begun)
    assert before == SLOTS
    late = [send(1, BULK), *(send(1) for _ in range(3)), send(2), send(2), send(3)]
    ask(queue, *late)
    await server.answer(6)
    order = [(each.tenant_id, each.type) for each in server.begun[before:]]
    assert order == [(1, OTP), (2, OTP), (3, OTP), (1, OTP), (2, OTP), (1, OTP)]
    await end(queue, server)


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        RuntimeError("no connection"),
        RPCError("busy", RPCStatusCode.RESOURCE_EXHAUSTED, b""),
    ],
)
async def test_a_start_that_fails_is_left_to_the_sweeper_and_skips_no_other(
    error: Exception,
) -> None:
    server = Server(open=True)
    queue = queue_to(server)
    server.error = error
    ask(queue, send(1))
    await settle()
    server.error = None
    other = send(2)
    ask(queue, other)
    await settle()
    assert server.begun[-1] is other


async def test_while_temporal_is_away_one_start_asks_now_and_then_and_none_is_kept() -> None:
    time, server = Time(), Server(open=True)
    queue = queue_to(server, time=time)
    server.error = RuntimeError("no connection")
    for time.now in (1, 2, 3, 4, 5):
        ask(queue, send())
        await settle()
    assert len(server.begun) == 5, "every second one asks"
    ask(queue, *(send() for _ in range(100)))
    await settle()
    assert len(server.begun) == 5
    server.error = None
    time.now = 6
    ask(queue, send())
    await settle()
    ask(queue, send())
    await settle()
    assert len(server.begun) == 7, "it is back, and those meanwhile were left to the sweeper"


async def test_time_outs_among_answers_are_no_outage() -> None:
    time = Time()
    reachability = Reachability(time)
    for second in range(100):
        time.now = second
        reachability.failed()
        reachability.failed()
        assert reachability.may_ask()
        reachability.answered()
