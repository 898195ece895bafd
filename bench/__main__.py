"""Runs the named benchmarks, or all: `python -m bench [name …]`."""

import argparse

import uvloop

from bench import acceptance, accounts, hostile, ledger, lifecycles, overload, reports, webhooks

NAMES = (
    "lifecycles",
    "acceptance",
    "reports",
    "ledger",
    "overload",
    "hostile",
    "accounts",
    "webhooks",
)


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
    asked = parser.parse_args()
    unknown = set(asked.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in asked.names or NAMES:
        match name:
            case "lifecycles":
                uvloop.run(lifecycles.measure(asked.rounds, asked.seconds, asked.calls))
            case "acceptance":
                uvloop.run(acceptance.measure(max(5, asked.rounds), asked.calls))
            case "reports":
                uvloop.run(reports.measure(asked.calls))
            case "overload":
                uvloop.run(overload.measure(asked.rounds, asked.overload_seconds))
            case "hostile":
                uvloop.run(hostile.measure(max(5, asked.rounds), asked.seconds / 5, asked.attack))
            case "accounts":
                uvloop.run(accounts.measure(max(5, asked.rounds), asked.seconds))
            case "webhooks":
                uvloop.run(webhooks.measure(asked.rounds, asked.seconds))
            case _:
                uvloop.run(ledger.measure(asked.rounds, asked.seconds))


if __name__ == "__main__":
    main()
