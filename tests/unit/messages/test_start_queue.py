"""The API's queue of workflow starts: order, concurrency, bounded waits."""

import asyncio
from collections.abc import Callable
from itertools import count

import pytest

from api.start_queue import (
    BULK_OF_TENANT,
    MOST_PENDING,
    SLOTS,
    SLOTS_FOR_OTP,
    SLOTS_OF_TENANT,
    Reachability,
    StartQueue,
)
from models.enums import Channel, MessageType
from models.rules.messages.identity import SendStart

_ids = count(1)
OTP, BULK = MessageType.OTP, MessageType.MARKETING


def send(tenant: int = 1, type: MessageType = OTP) -> SendStart:
    message_id = next(_ids)
    return SendStart(
        tenant_id=tenant,
        tenant_public_id=10**15 + tenant,
        message_id=message_id,
        public_id=10**15 + message_id,
        merchant_id=1,
        merchant="gym-a",
        channel=Channel.SMS,
        type=type,
        operation="send-sms",
        scope="",
        idempotency_key=None,
    )


class Server:
    """Starts workflows and responds when told to; to some it never responds."""

    def __init__(self, *, open: bool = False) -> None:
        self.begun: list[SendStart] = []
        self.mute: set[int] = set()
        self.error: Exception | None = None
        self._gate = asyncio.Semaphore(10_000 if open else 0)

    async def start(self, send: SendStart) -> None:
        self.begun.append(send)
        if send.tenant_id in self.mute:
            await asyncio.Event().wait()
        await self._gate.acquire()
        if self.error is not None:
            raise self.error

    async def answer(self, number: int = 1) -> None:
        """End so many starts, and begin those that they make room for."""
        for _ in range(number):
            self._gate.release()
        await settle()


class Time:
    """Returns a time that tests set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def unhurried(
    server: Server,
    *,
    patience: float = 600,
    on_started: Callable[[SendStart], None] = lambda _: None,
) -> StartQueue:
    """Return a queue whose limits of time a slow machine does not reach."""
    return StartQueue(
        server.start,
        Reachability(Time()),
        on_started=on_started,
        patience=patience,
        longest_call=600,
    )


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def ask(queue: StartQueue, *sends: SendStart) -> list["asyncio.Task[None]"]:
    return [asyncio.create_task(queue.start(each)) for each in sends]


async def end(queue: StartQueue, tasks: list["asyncio.Task[None]"]) -> None:
    await queue.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def full(server: Server, *, tenants: tuple[int, ...] = (91, 92, 93)) -> list[SendStart]:
    """Fill every slot that bulk sends may take."""
    return [send(tenant, BULK) for tenant in tenants for _ in range(SLOTS_OF_TENANT)]


async def test_a_start_is_waited_for() -> None:
    started: list[SendStart] = []
    server = Server(open=True)
    queue = unhurried(server, on_started=started.append)
    wanted = send()
    await queue.start(wanted)
    assert server.begun == started == [wanted]


async def test_bulk_leaves_slots_to_otps() -> None:
    server = Server()
    queue = unhurried(server)
    tasks = ask(queue, *full(server))
    await settle()
    assert len(server.begun) == SLOTS - SLOTS_FOR_OTP
    otp = send(2)
    tasks += ask(queue, otp)
    await settle()
    assert server.begun[-1] is otp
    await end(queue, tasks)


async def test_one_tenants_starts_leave_slots_to_others() -> None:
    server = Server()
    server.mute.add(1)
    queue = unhurried(server)
    tasks = ask(queue, *(send(1) for _ in range(SLOTS)))
    await settle()
    assert len(server.begun) == SLOTS_OF_TENANT
    other = send(2)
    tasks += ask(queue, other)
    await server.answer()
    assert server.begun[-1] is other
    assert tasks[-1].done(), "it waits for none of the slow ones"
    await end(queue, tasks)


async def test_one_tenants_bulk_leaves_slots_to_its_own_otps() -> None:
    server = Server()
    queue = unhurried(server)
    tasks = ask(queue, *(send(1, BULK) for _ in range(SLOTS)))
    await settle()
    assert len(server.begun) == BULK_OF_TENANT
    otp = send(1)
    tasks += ask(queue, otp)
    await settle()
    assert server.begun[-1] is otp
    await end(queue, tasks)


async def test_higher_priorities_go_first_and_tenants_take_turns() -> None:
    server = Server()
    queue = unhurried(server)
    tasks = ask(queue, *full(server))
    tasks += ask(queue, *(send(tenant) for tenant in (81, 82, 83, 84)))
    await settle()
    before = len(server.begun)
    assert before == SLOTS
    late = [send(1, BULK), *(send(1) for _ in range(3)), send(2), send(2), send(3)]
    tasks += ask(queue, *late)
    await server.answer(6)
    order = [(each.tenant_id, each.type) for each in server.begun[before:]]
    assert order == [(1, OTP), (2, OTP), (3, OTP), (1, OTP), (2, OTP), (1, OTP)]
    await end(queue, tasks)


async def test_a_start_that_times_out_is_left_to_the_sweeper() -> None:
    server = Server()
    queue = unhurried(server, patience=0.05)
    first = full(server)
    await asyncio.gather(*(queue.start(each) for each in first))
    assert len(server.begun) == SLOTS - SLOTS_FOR_OTP
    await server.answer(SLOTS)
    assert len(server.begun) == SLOTS - SLOTS_FOR_OTP, "those that had not begun never do"
    await queue.close()


async def test_a_running_start_continues_without_waiters() -> None:
    started: list[SendStart] = []
    server = Server()
    queue = unhurried(server, patience=0.05, on_started=started.append)
    slow = send()
    await queue.start(slow)
    assert started == []
    await server.answer()
    assert started == [slow]


async def test_a_request_that_is_cut_off_leaves_no_place_behind() -> None:
    server = Server()
    queue = unhurried(server)
    tasks = ask(queue, *full(server))
    gone = ask(queue, *(send(7, BULK) for _ in range(5)))
    await settle()
    for task in gone:
        task.cancel()
    await settle()
    await server.answer(100)
    assert not any(each.tenant_id == 7 for each in server.begun)
    await end(queue, tasks)


async def test_a_full_queue_leaves_the_least_urgent_to_the_sweeper() -> None:
    server = Server()
    queue = unhurried(server)
    tasks = ask(queue, *full(server))
    await settle()
    room = MOST_PENDING - (len(tasks) - len(server.begun))
    tasks += ask(queue, *(send(5, BULK) for _ in range(room)))
    await settle()
    no_room = ask(queue, send(6, BULK))
    await settle()
    assert no_room[0].done()
    crowd = ask(queue, *(send(tenant) for tenant in range(10, 20)))
    await settle()
    assert sum(task.done() for task in tasks) == len(crowd) - SLOTS_FOR_OTP, "the newest bulk"
    await server.answer(100)
    assert {each.tenant_id for each in server.begun} >= set(range(10, 20))
    await end(queue, tasks + crowd)


@pytest.mark.parametrize("error", [TimeoutError(), RuntimeError("no connection")])
async def test_a_start_that_fails_is_left_to_the_sweeper_and_skips_no_other(
    error: Exception,
) -> None:
    server = Server(open=True)
    queue = unhurried(server)
    server.error = error
    await queue.start(send(1))
    server.error = None
    other = send(2)
    await queue.start(other)
    assert server.begun[-1] is other


async def test_while_temporal_is_away_one_request_asks_now_and_then_and_others_do_not_wait() -> (
    None
):
    time, server = Time(), Server(open=True)
    queue = StartQueue(server.start, Reachability(time))
    server.error = RuntimeError("no connection")
    for time.now in (1, 2, 3, 4, 5):
        await queue.start(send())
    assert len(server.begun) == 5, "every second one asks"
    await asyncio.gather(*(queue.start(send()) for _ in range(100)))
    assert len(server.begun) == 5
    server.error = None
    time.now = 6
    await queue.start(send())
    await queue.start(send())
    assert len(server.begun) == 7, "it is back"


async def test_time_outs_among_answers_are_no_outage() -> None:
    time = Time()
    reachability = Reachability(time)
    for second in range(100):
        time.now = second
        reachability.failed()
        reachability.failed()
        assert reachability.may_ask()
        reachability.answered()


async def test_nothing_begins_once_it_is_closed() -> None:
    server = Server()
    queue = unhurried(server)
    tasks = ask(queue, *full(server), *(send() for _ in range(SLOTS)))
    await settle()
    begun = len(server.begun)
    assert begun == SLOTS
    await asyncio.wait_for(queue.close(), 5)
    await queue.start(send())
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert len(server.begun) == begun
    # The event loop is shared by all tests: tasks of other applications may run in it.
    running = [task.get_coro() for task in asyncio.all_tasks()]
    names = [getattr(coroutine, "__qualname__", "") for coroutine in running]
    assert [name for name in names if name.startswith("StartQueue")] == []
