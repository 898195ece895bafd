"""Runs the named benchmarks, or all: `python -m bench [name …]`."""

import argparse
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvloop

from bench import (
    acceptance,
    accounts,
    batch,
    growth,
    hostile,
    ledger,
    lifecycles,
    overload,
    reports,
    waiting,
    webhooks,
)

_BENCHES: Final[dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, None]]]] = {
    "lifecycles": lambda asked: lifecycles.measure(asked.rounds, asked.seconds, asked.calls),
    "acceptance": lambda asked: acceptance.measure(max(5, asked.rounds), asked.calls),
    "batch": lambda asked: batch.measure(max(5, asked.rounds), asked.seconds, asked.batch),
    "reports": lambda asked: reports.measure(asked.calls),
    "ledger": lambda asked: ledger.measure(asked.rounds, asked.seconds),
    "overload": lambda asked: overload.measure(asked.rounds, asked.overload_seconds),
    "hostile": lambda asked: hostile.measure(max(5, asked.rounds), asked.seconds / 5, asked.attack),
    "accounts": lambda asked: accounts.measure(max(5, asked.rounds), asked.seconds),
    "webhooks": lambda asked: webhooks.measure(asked.rounds, asked.seconds),
    "growth": lambda asked: growth.measure(asked.rounds, asked.seconds, million=asked.million),
    "waiting": lambda asked: waiting.measure(asked.rounds, asked.seconds),
}
NAMES = tuple(_BENCHES)


def main() -> None:
    """Measure and print; always exits with 0, because results are not asserted."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=3, help="of each kind, in turns")
    parser.add_argument("--seconds", type=float, default=10, help="of one round")
    parser.add_argument(
        "--overload-seconds", type=float, default=60, help="of one round of overload"
    )
    parser.add_argument("--calls", type=int, default=60, help="one after the other, of each kind")
    parser.add_argument("--attack", action="append", default=[], help="of hostile, only this one")
    parser.add_argument("--batch", type=int, default=2000, help="messages of one batch of a round")
    parser.add_argument("--million", action="store_true", help="growth: up to 1,000,000 messages")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in asked.names or NAMES:
        uvloop.run(_BENCHES[name](asked))


if __name__ == "__main__":
    main()
