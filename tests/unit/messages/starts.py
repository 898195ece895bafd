"""A queue of workflow starts on a double of Temporal that answers when it is told to."""

import asyncio
from collections.abc import Callable
from itertools import count

from api.start_queue import SLOTS_OF_TENANT, Reachability, StartQueue
from models.enums import Channel, MessageType
from models.rules.messages.identity import SendStart
from models.rules.messages.priorities import priority_of

_ids = count(1)
OTP, BULK = MessageType.OTP, MessageType.MARKETING
WITHIN = 2.0


def send(tenant: int = 1, type: MessageType = OTP) -> SendStart:
    """Return the start of a new message."""
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
        """Begin a start, and end it when told to."""
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
        """Return the time."""
        return self.now


def queue_to(
    server: Server,
    *,
    time: Time | None = None,
    drain: float = 600,
    on_started: Callable[[SendStart], None] = lambda _: None,
) -> StartQueue[SendStart]:
    """Return a queue whose limits of time a slow machine does not reach."""
    time = time or Time()
    return StartQueue(
        server.start,
        Reachability(time),
        priority=lambda send: priority_of(send.type),
        start_within=WITHIN,
        on_started=on_started,
        longest_call=600,
        drain=drain,
        clock=time,
    )


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def ask(queue: StartQueue[SendStart], *sends: SendStart) -> None:
    """Ask for starts, as requests do."""
    for each in sends:
        queue.start(each)


async def end(queue: StartQueue[SendStart], server: Server) -> None:
    """Let everything end that still runs."""
    server.mute.clear()
    await server.answer(10_000)
    await asyncio.wait_for(queue.close(), 5)


def full(*, tenants: tuple[int, ...] = (91, 92, 93)) -> list[SendStart]:
    """Fill every slot that bulk sends may take."""
    return [send(tenant, BULK) for tenant in tenants for _ in range(SLOTS_OF_TENANT)]
