"""Prints what `bench.growth` measured: plans, rates and bytes, of the sizes beside each other."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.growth.plans import Executed

BUFFERS_WANTED: Final = 1.5
"""Largest ratio of buffers; an index of more rows may be a level deeper."""
RATE_WANTED: Final = 0.9

Sizes: TypeAlias = Mapping[str, tuple[int, int]]
"""Bytes of rows and of indexes, by table."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What was measured with so many messages in the tables."""

    messages: int
    sizes: Sizes
    executed: Sequence[Executed]
    lifecycles: Sequence[float]
    empty: Sequence[float]
    cpu: Mapping[str, float]
    """Seconds per lifecycle, by process."""
    wal: float
    """Bytes of write-ahead log per lifecycle."""
    grown: float
    """Bytes by which all tables and indexes grew per lifecycle; vacuum makes much of it free."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement's executions at one size."""

    buffers: float
    shapes: frozenset[str]
    rows: int


def statements_of(executed: Sequence[Executed]) -> dict[str, Statement]:
    """Return the statements by name: median buffers, every shape, and the most rows of a table."""
    found: dict[str, list[Executed]] = defaultdict(list)
    for each in executed:
        found[each.name].append(each)
    return {
        name: Statement(
            buffers=statistics.median(each.buffers for each in some),
            shapes=frozenset(each.shape for each in some),
            rows=max((scan.rows for each in some for scan in each.scans), default=0),
        )
        for name, some in found.items()
    }


def print_plans(steps: Sequence[Step]) -> None:
    """Print the statements by their buffers, then what changed between the sizes."""
    by_size = [statements_of(step.executed) for step in steps]
    everywhere = set.intersection(*(set(some) for some in by_size))
    sizes = "".join(f"{step.messages:>11,}" for step in steps)
    print(f"\nbuffers, median of each statement\n{'':<66}{sizes}{'ratio':>8}{'plan':>9}")
    largest = 0.0
    for name in sorted(everywhere, key=lambda name: -by_size[-1][name].buffers):
        some = [statements[name] for statements in by_size]
        ratio = some[-1].buffers / max(some[0].buffers, 1)
        largest = max(largest, ratio)
        same = all(each.shapes & some[0].shapes for each in some)
        buffers = "".join(f"{each.buffers:>11.0f}" for each in some)
        print(f"{name:<66}{buffers}{ratio:>8.2f}{'same' if same else 'CHANGED':>9}")
    print(f"largest ratio: {largest:.2f}  (wanted: at most {BUFFERS_WANTED})")
    for line in _changes(by_size, steps):
        print(line)


def _changes(by_size: Sequence[Mapping[str, Statement]], steps: Sequence[Step]) -> Iterator[str]:
    first, last = by_size[0], by_size[-1]
    for name in sorted(set(first) & set(last)):
        if not first[name].shapes & last[name].shapes:
            yield f"\n{name}, with {steps[0].messages:,} messages:"
            yield from (f"  {shape}" for shape in sorted(first[name].shapes))
            yield f"with {steps[-1].messages:,} messages:"
            yield from (f"  {shape}" for shape in sorted(last[name].shapes))
    whole = {
        f"{each.name}: {scan.table}, {scan.rows} rows"
        for each in steps[-1].executed
        for scan in each.scans
        if scan.whole and scan.rows
    }
    yield "\ntables read from end to end: " + ("; ".join(sorted(whole)) or "none")


def print_rates(steps: Sequence[Step]) -> None:
    """Print the rates and what a lifecycle costs at each size."""
    print(
        f"\n{'messages':>11}{'lifecycles/s':>14}{'empty/s':>9}{'ratio':>7}{'WAL KiB':>9}  CPU, ms"
    )
    ratios = []
    for step in steps:
        full, empty = statistics.median(step.lifecycles), statistics.median(step.empty)
        ratios.append(full / empty)
        cpu = ", ".join(f"{name} {1000 * used:.1f}" for name, used in step.cpu.items())
        print(
            f"{step.messages:>11,}{full:>14.1f}{empty:>9.1f}{ratios[-1]:>7.2f}"
            f"{step.wal / 1024:>9.1f}{step.grown / 1024:>7.1f}  {cpu}"
        )
    print(f"last beside first: {ratios[-1] / ratios[0]:.2f}  (wanted: at least {RATE_WANTED})")


def print_bytes(steps: Sequence[Step]) -> None:
    """Print what a message adds to each table."""
    first, last = steps[0], steps[-1]
    added = last.messages - first.messages
    print(
        f"\nbytes per message, between {first.messages:,} and {last.messages:,}"
        f"\n{'':<24}{'rows':>9}{'indexes':>9}{'all':>9}"
    )
    total = [0.0, 0.0]
    for table in sorted(last.sizes, key=lambda name: -sum(last.sizes[name])):
        each = [
            (after - before) / added
            for before, after in zip(first.sizes[table], last.sizes[table], strict=True)
        ]
        total = [sum(pair) for pair in zip(total, each, strict=True)]
        if sum(each) >= 1:
            print(f"{table:<24}{each[0]:>9.0f}{each[1]:>9.0f}{sum(each):>9.0f}")
    print(f"{'all':<24}{total[0]:>9.0f}{total[1]:>9.0f}{sum(total):>9.0f}")
