"""Compares accepting with a bare StartWorkflow, and the way to the provider with a workflow task.

What is compared alternates in the same run on the same Temporal server, because results of
different times or machines cannot be compared. Only the ratios are meaningful. A burst of another
version is compared by its ratio to the burst of bare starts: run this file in both.
"""

import asyncio
import http.client
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from bench.database import ANALYZE
from bench.empty import NOBODYS_QUEUE, QUEUE, Empty
from bench.harness import Harness, running
from bench.lifecycles import Watch
from models.rules.messages.reference import Reference

ACCEPTING_WANTED: Final = 1.25
CALL_WANTED: Final = 1.5
BURST: Final = 64

_BURSTS: Final = 3
"""Of a round."""
_PATH: Final = "/api/v1/messages/sms"
_PAUSE: Final = 0.02
"""Seconds of quiet before each call."""


@dataclass(kw_only=True)
class Round:
    """Seconds of each call of a round, by what was measured."""

    accepting: list[float] = field(default_factory=list)
    starting: list[float] = field(default_factory=list)
    task: list[float] = field(default_factory=list)
    """From StartWorkflow until the result of an empty workflow, which is one workflow task."""
    call: list[float] = field(default_factory=list)
    """From the answer to a send until the provider has its call."""
    call_of_request: list[float] = field(default_factory=list)
    """The same from the request."""
    burst: list[float] = field(default_factory=list)
    starting_burst: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> dict[str, float]:
        """Return what is wanted to be small."""
        task = statistics.median(self.task)
        return {
            "accept/start": statistics.median(self.accepting) / statistics.median(self.starting),
            "answer→call/task": statistics.median(self.call) / task,
            "request→call/task": statistics.median(self.call_of_request) / task,
            "burst p99/starts": _p99(self.burst) / _p99(self.starting_burst),
        }


async def measure(rounds: int, calls: int) -> None:
    """Start the system, and print a line per round and the ratios of all."""
    async with running() as harness:
        watch = Watch(harness)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch.run())
            await _round(harness, watch, calls // 2)  # warm-up
            await harness.look.execute(ANALYZE)
            print(
                f"\n{calls} calls one at a time, {_BURSTS} bursts of {BURST}; p50 in ms, bursts p99"
            )
            measured = []
            for number in range(1, rounds + 1):
                measured.append(await _round(harness, watch, calls))
                _print_line(number, measured[-1])
            watching.cancel()
    _print_ratios(measured)


async def _round(harness: Harness, watch: Watch, calls: int) -> Round:
    times = Round()
    client = _Client(harness)
    for _ in range(calls):
        await asyncio.sleep(_PAUSE)
        await client.send(watch, times)
        await asyncio.sleep(_PAUSE)
        times.starting.append(await _timed(lambda: _start_bare(harness)))
        await asyncio.sleep(_PAUSE)
        times.task.append(await _timed(lambda: _execute_empty(harness)))
    client.close()
    for _ in range(_BURSTS):
        messages, took = await _burst(lambda: _post(harness))
        times.burst += took
        await asyncio.gather(*(watch.end_of(message) for message in messages))
        _, took = await _burst(lambda: _start_bare(harness))
        times.starting_burst += took
    return times


class _Client:
    """Sends one message at a time. It blocks on purpose: nothing else runs in this process."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._api = _connection(harness.stack.api_url)
        self._simulator = _connection(harness.stack.simulator_url)

    async def send(self, watch: Watch, times: Round) -> None:
        """Send a message, wait for its end, and note what it took."""
        headers = {
            **self._harness.owner.headers,
            "Content-Type": "application/json",
            "Idempotency-Key": uuid4().hex,
        }
        began, since = time.time(), time.perf_counter()
        self._api.request("POST", _PATH, _order(self._harness), headers)
        answer = self._api.getresponse().read()
        took = time.perf_counter() - since
        message = int(json.loads(answer)["messageId"])
        await watch.end_of(message)
        called = self._called_at(message)
        times.accepting.append(took)
        times.call_of_request.append(called - began)
        times.call.append(called - began - took)

    def _called_at(self, message: int) -> float:
        """Return when the simulator had the call: seconds since the epoch, in milliseconds."""
        tenant = self._harness.owner.tenant_public_id
        reference = Reference(tenant=tenant, message=message, attempt=1)
        self._simulator.request("GET", f"/messages?reference={reference}")
        [found] = json.loads(self._simulator.getresponse().read())["items"]
        return datetime.fromisoformat(found["acceptedAt"]).timestamp()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._simulator.close()


def _connection(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    assert address.hostname is not None
    return http.client.HTTPConnection(address.hostname, address.port)


async def _timed(action: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await action()
    return time.perf_counter() - began


async def _burst(action: Callable[[], Awaitable[int]]) -> tuple[list[int], list[float]]:
    """Do it 64 times at once; return the results, and the seconds of each."""

    async def one() -> tuple[int, float]:
        began = time.perf_counter()
        return await action(), time.perf_counter() - began

    done = await asyncio.gather(*(one() for _ in range(BURST)))
    return [result for result, _ in done], [took for _, took in done]


async def _post(harness: Harness) -> int:
    answer = await harness.wire.post(_PATH, uuid4().hex, _order(harness))
    return int(json.loads(answer)["messageId"])


async def _start_bare(harness: Harness) -> int:
    await harness.client.start_workflow(
        Empty.run,
        id=uuid4().hex,
        task_queue=NOBODYS_QUEUE,
        execution_timeout=timedelta(minutes=1),
    )
    return 0


async def _execute_empty(harness: Harness) -> None:
    await harness.client.execute_workflow(Empty.run, id=uuid4().hex, task_queue=QUEUE)


def _order(harness: Harness) -> bytes:
    return json.dumps(
        {
            "merchantId": harness.owner.merchant,
            "to": "+18135551234",
            "message": "Your OTP is 123456",
            "type": "OTP",
        }
    ).encode()


def _print_line(number: int, times: Round) -> None:
    if number == 1:
        names = [each.name.replace("_", " ") for each in fields(Round)]
        print(f"{'round':>5}" + "".join(f"{name:>17}" for name in names))
    figures = []
    for each in fields(Round):
        seconds: list[float] = getattr(times, each.name)
        figures.append(_p99(seconds) if "burst" in each.name else statistics.median(seconds))
    print(f"{number:>5}" + "".join(f"{1000 * figure:>17.1f}" for figure in figures), flush=True)


def _print_ratios(measured: Sequence[Round]) -> None:
    wanted = {"accept/start": ACCEPTING_WANTED, "answer→call/task": CALL_WANTED}
    print(f"\n{'ratio':<20}{'min':>8}{'median':>8}{'max':>8}")
    for name in measured[0].ratios:
        values = [each.ratios[name] for each in measured]
        goal = f"  (wanted: at most {wanted[name]})" if name in wanted else ""
        print(
            f"{name:<20}{min(values):>8.2f}{statistics.median(values):>8.2f}{max(values):>8.2f}{goal}"
        )


def _p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1]
