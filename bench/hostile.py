"""Measures how much one hostile client slows down the requests of another tenant.

In each round the victim sends OTPs at a steady rate, first alone and then during the attack; the
result is the ratio of both medians. Limits are the defaults.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from bench.attacks import ATTACKS
from bench.harness import Harness, make_bench_owner, running
from bench.wire import Refused
from models.settings import Settings
from tests.factories import NO_LIMITS, Owner
from tests.providers_files import TWILIO, TWILIO_TOKEN_VARIABLE, write_file
from tests.stack import ROOT

WANTED: Final = 3.0
_PACE: Final = 0.1
"""Seconds between two requests of the victim."""

_PATIENCE: Final = 30.0
"""Seconds after a round within which its messages may end."""


TOKEN: Final = "nobody-knows-this-token"
"""Secret of an account, which makes the API open its webhook for forms. No tenant uses the account,
so no request is sent with it.
"""


@dataclass(slots=True)
class _Round:
    """Times that the victim measured, in seconds."""

    accepted: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    failed: int = 0


def default_limits() -> dict[str, str]:
    """Return the environment that restores the default limits, which tests change."""
    fields = Settings.model_fields
    return {f"HEXAVOX_{name.upper()}": str(fields[name].default) for name in NO_LIMITS}


@contextmanager
def providers_file() -> Iterator[dict[str, str]]:
    """Write a providers file; return the environment that names it and holds its secret."""
    with tempfile.TemporaryDirectory(prefix="hexavox-bench-") as folder:
        path = write_file(Path(folder), TWILIO)
        yield {"HEXAVOX_PROVIDERS_FILE": str(path), TWILIO_TOKEN_VARIABLE: TOKEN}


async def measure(rounds: int, seconds: float, names: Sequence[str] = ()) -> None:
    """Measure the named attacks, or all, and print a table."""
    with providers_file() as accounts:
        await _measure({**default_limits(), **accounts}, rounds, seconds, names)


async def _measure(
    waits: Mapping[str, str], rounds: int, seconds: float, names: Sequence[str]
) -> None:
    async with running(waits=waits) as harness:
        attacker = await make_bench_owner(harness.stack.database_url)
        await _observe(harness, seconds)  # warm-up
        print(
            f"\none hostile client beside one victim, {rounds} rounds of {seconds:.1f} s each way"
        )
        print(f"{'':<18}{'quiet':>9}{'beside it, accepted within':>34}{'ended within':>28}")
        print(
            f"{'attack':<15}{'':>3}{'p50 ms':>9}{'p50 ms':>10}{'ratio min':>11}{'med':>6}", end=""
        )
        print(f"{'max':>7}{'ratio min':>14}{'med':>7}{'max':>7}{'requests':>10}{'failed':>8}")
        worst = 0.0
        for name in names or ATTACKS:
            worst = max(worst, await _one(harness, attacker, name, rounds, seconds))
        print(f"worst ratio, median of p50 accepted: {worst:.2f}  (wanted: at most {WANTED})")


async def _one(harness: Harness, attacker: Owner, name: str, rounds: int, seconds: float) -> float:
    quiet, beside, counts = [], [], []
    for _ in range(rounds):
        quiet.append(await _observe(harness, seconds))
        process = await _start(harness, attacker, name, seconds + 0.5)
        await asyncio.sleep(0.5)
        beside.append(await _observe(harness, seconds))
        answered, _ = await process.communicate()
        counts.append(int(answered or 0))
    accepted = _ratios([one.accepted for one in quiet], [one.accepted for one in beside])
    ended = _ratios([one.ended for one in quiet], [one.ended for one in beside])
    before = statistics.median(t for one in quiet for t in one.accepted)
    during = statistics.median([t for one in beside for t in one.accepted] or [float("inf")])
    middle = statistics.median(accepted)
    print(
        f"{ATTACKS[name].item} {name:<15}{1000 * before:>9.1f}{1000 * during:>10.1f}"
        f"{min(accepted):>11.2f}{middle:>6.2f}{max(accepted):>7.2f}"
        f"{min(ended):>14.2f}{statistics.median(ended):>7.2f}{max(ended):>7.2f}"
        f"{sum(counts):>10}{sum(one.failed for one in beside):>8}",
        flush=True,
    )
    return middle


def _ratios(quiet: Sequence[list[float]], beside: Sequence[list[float]]) -> list[float]:
    """Return the ratio of the medians of each round; infinity for a round without responses."""
    return [
        statistics.median(after or [float("inf")]) / statistics.median(before or [float("inf")])
        for before, after in zip(quiet, beside, strict=True)
    ]


async def _start(
    harness: Harness, attacker: Owner, name: str, seconds: float
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.attacks", name, str(harness.stack.ports["api"])),
        *(attacker.api_key, attacker.api_secret, attacker.merchant, str(seconds)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


async def _observe(harness: Harness, seconds: float) -> _Round:
    """Send at a steady rate, independent of response times; return the measured times."""
    seen = _Round()
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        while time.monotonic() < until:
            tasks.create_task(_send(harness, seen))
            await asyncio.sleep(_PACE)
    return seen


async def _send(harness: Harness, seen: _Round) -> None:
    body = {
        "merchantId": harness.owner.merchant,
        "to": "+18135551234",
        "message": "Your OTP is 123456",
        "type": "OTP",
    }
    began = time.monotonic()
    try:
        answer = await harness.wire.post(
            "/api/v1/messages/sms", uuid4().hex, json.dumps(body).encode()
        )
    except (Refused, OSError, asyncio.IncompleteReadError):
        seen.failed += 1
        return
    seen.accepted.append(time.monotonic() - began)
    message = int(json.loads(answer)["messageId"])
    while time.monotonic() - began < _PATIENCE:
        await asyncio.sleep(0.03)
        if await harness.ended([message]):
            seen.ended.append(time.monotonic() - began)
            return
    seen.failed += 1
