"""Writes usage as CSV (RFC 4180)."""

import csv
from collections.abc import AsyncIterator, Sequence
from io import StringIO
from typing import Final

from models.enums import UsageState
from models.queries.billing.usage import DayLine

MEDIA_TYPE: Final = "text/csv"

COLUMNS: Final = (
    "day",
    "merchantId",
    "channel",
    "messages",
    "units",
    "awsCost",
    "providerCost",
    "carrierFees",
    "markup",
    "charge",
    "state",
)


async def write(batches: AsyncIterator[Sequence[DayLine]]) -> AsyncIterator[str]:
    """Yield the header and the rows as text.

    No cell can be interpreted as a formula: merchant ids begin with a letter or a digit, and all
    other cells are numbers, days or enum values.
    """
    yield _rows([COLUMNS])
    async for lines in batches:
        if lines:
            yield _rows([_cells(line) for line in lines])


def _cells(line: DayLine) -> Sequence[object]:
    return (
        line.day.isoformat(),
        line.merchant,
        line.channel,
        line.messages,
        line.units,
        line.aws_cost,
        line.provider_cost,
        line.carrier_fees,
        line.markup,
        line.aws_cost + line.provider_cost + line.markup,
        UsageState.FINAL if line.closed else UsageState.PROVISIONAL,
    )


def _rows(rows: Sequence[Sequence[object]]) -> str:
    written = StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
