"""The bounds of the API's queue of workflow starts; the sweeper starts what is beyond them."""

import asyncio
import tracemalloc
from dataclasses import replace

from api.start_queue import MOST_PENDING, SLOTS, SLOTS_FOR_OTP, SLOTS_OF_TENANT
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


async def test_what_did_not_begin_before_the_sweeper_looks_is_left_to_it() -> None:
    time, server = Time(), Server()
    queue = queue_to(server, time=time)
    ask(queue, *full())
    await settle()
    time.now = WITHIN / 2
    later = send(1, BULK)
    ask(queue, later)
    time.now = WITHIN
    begun = len(server.begun)
    await server.answer(begun)
    assert server.begun[begun:] == [later], "the others never begin"
    await end(queue, server)


async def test_a_full_queue_leaves_the_least_urgent_to_the_sweeper() -> None:
    server = Server()
    queue = queue_to(server)
    ask(queue, *full())
    await settle()
    pending = 3 * SLOTS_OF_TENANT - len(server.begun)
    bulk = [send(5, BULK) for _ in range(MOST_PENDING - pending)]
    otps = [send(tenant) for tenant in range(10, 20)]
    ask(queue, *bulk)
    ask(queue, *otps)
    await end(queue, server)
    dropped = len(otps) - SLOTS_FOR_OTP
    assert [each for each in server.begun if each.tenant_id == 5] == bulk[:-dropped], "the newest"
    assert {each.tenant_id for each in server.begun} >= set(range(10, 20))


async def test_a_tenant_that_fills_the_queue_gives_way_to_others_of_equal_urgency() -> None:
    for type in (OTP, BULK):
        server = Server()
        server.mute.add(5)
        queue = queue_to(server, drain=0)
        crowd = [send(5, type) for _ in range(2 * MOST_PENDING)]
        ask(queue, *full(tenants=(91, 92)), *crowd)
        others = [send(tenant, type) for tenant in range(10, 20) for _ in range(3)]
        ask(queue, *others)
        for _ in range(20):
            await server.answer(10)
        assert [each for each in others if each not in server.begun] == []
        await queue.close()


async def test_pending_starts_take_little_memory() -> None:
    server = Server()
    server.mute.add(1)
    queue = queue_to(server, drain=0)
    tracemalloc.start()
    try:
        for _ in range(50_000):
            queue.start(replace(send(1, BULK), idempotency_key="k" * 255))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10_000_000, "about 1 MB; 50,000 would take 50 MB"
    await queue.close()


async def test_closing_starts_what_is_pending_and_nothing_new() -> None:
    server = Server()
    queue = queue_to(server)
    wanted = [*full(), *(send() for _ in range(SLOTS))]
    ask(queue, *wanted)
    await settle()
    closing = asyncio.create_task(queue.close())
    await settle()
    queue.start(send(99))
    await server.answer(len(wanted))
    await asyncio.wait_for(closing, 5)
    assert sorted(each.message_id for each in server.begun) == [each.message_id for each in wanted]


async def test_closing_waits_for_a_bounded_time_and_leaves_the_rest_to_the_sweeper() -> None:
    server = Server()
    queue = queue_to(server, drain=0.05)
    ask(queue, *full(), *(send() for _ in range(SLOTS)))
    await settle()
    begun = len(server.begun)
    assert begun == SLOTS
    await asyncio.wait_for(queue.close(), 5)
    queue.start(send())
    await settle()
    assert len(server.begun) == begun
    # The event loop is shared by all tests: tasks of other applications may run in it.
    running = [task.get_coro() for task in asyncio.all_tasks()]
    names = [getattr(coroutine, "__qualname__", "") for coroutine in running]
    assert [name for name in names if name.startswith("StartQueue")] == []
