"""Compares a provider's invoice with our usage records.

The invoice is copied into a temporary table, so that its size does not matter to this process.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import text

from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """A provider's charge for a message, by its own id or our reference. `cost` is in USD."""

    id: str
    units: int
    cost: Decimal
    day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoiced:
    """Number of copied lines, and the range of their days."""

    lines: int
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The records an invoice is compared with: of these days, of one provider or all."""

    tenant_id: int
    provider: str | None
    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A message with a difference. `id` is the invoice's, empty if it has none."""

    kind: Literal["not invoiced", "unknown to us", "differs"]
    message: int | None
    """Public id of the message."""
    id: str
    day: date | None
    units: int | None
    """Our units; None if the message is unknown to us."""
    cost: Decimal | None
    invoiced_units: int | None
    invoiced_cost: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Totals of both sides."""

    invoiced: int
    """Messages, not lines."""
    invoiced_units: int
    invoiced_cost: Decimal
    recorded: int
    recorded_units: int
    recorded_cost: Decimal


_LINES: Final = text(
    "CREATE TEMPORARY TABLE invoice_line (id text, units bigint, cost numeric) ON COMMIT DROP"
)
_COPY: Final = "COPY invoice_line (id, units, cost) FROM STDIN"

_INVOICE: Final = text(
    """
    CREATE TEMPORARY TABLE invoice ON COMMIT DROP AS
    SELECT id, sum(units) AS units, sum(cost) AS cost FROM invoice_line GROUP BY id
    """
)

# The provider's days may differ from ours, which are those of the attempt: so ids are searched in a
# week more on either side. Our reference matches its message on any day.
_KNOWN: Final = text(
    """
    CREATE TEMPORARY TABLE known ON COMMIT DROP AS
    SELECT invoice.id, min(found.message_id) AS message_id
      FROM invoice
      JOIN (SELECT attempt.provider_message_id AS id, record.message_id
              FROM usage_record record
              JOIN attempt ON attempt.tenant_id = record.tenant_id
                          AND attempt.message_id = record.message_id
                          AND attempt.provider = record.provider
             WHERE record.tenant_id = :tenant_id
               AND record.day BETWEEN CAST(:first AS date) - 7 AND CAST(:last AS date) + 7
               AND (CAST(:provider AS text) IS NULL OR record.provider = :provider)
             UNION
            SELECT named.id, record.message_id
              FROM (SELECT id, CAST(split_part(id, '-', 2) AS bigint) AS tenant,
                           CAST(split_part(id, '-', 3) AS bigint) AS message FROM invoice
                     WHERE id ~ '^hx-[0-9]{1,16}-[0-9]{1,16}-[0-9]{1,4}$') AS named
              JOIN tenant ON tenant.id = :tenant_id AND tenant.public_id = named.tenant
              JOIN message ON message.tenant_id = :tenant_id
                          AND message.public_id = named.message
              JOIN usage_record record ON record.tenant_id = :tenant_id
                                      AND record.message_id = message.id
             WHERE CAST(:provider AS text) IS NULL OR record.provider = :provider) AS found
        ON found.id = invoice.id
     GROUP BY invoice.id
    """
)

_COMPARED: Final = text(
    """
    CREATE TEMPORARY TABLE compared ON COMMIT DROP AS
    WITH billed AS (
        SELECT known.message_id, min(invoice.id) AS id, sum(invoice.units) AS units,
               sum(invoice.cost) AS cost
          FROM known JOIN invoice ON invoice.id = known.id GROUP BY known.message_id
    ), wanted AS (
        SELECT message_id FROM usage_record
         WHERE tenant_id = :tenant_id AND day BETWEEN :first AND :last
           AND (CAST(:provider AS text) IS NULL OR provider = :provider)
         UNION
        SELECT message_id FROM billed
    ), recorded AS (
        SELECT record.message_id, record.day, record.cost_units AS units,
               record.cost + record.carrier_fee
               + COALESCE((SELECT sum(later.cost + later.carrier_fee) FROM usage_correction later
                            WHERE later.tenant_id = :tenant_id
                              AND later.message_id = record.message_id), 0) AS cost
          FROM wanted JOIN usage_record record ON record.tenant_id = :tenant_id
                                              AND record.message_id = wanted.message_id
    )
    SELECT recorded.message_id, billed.id, recorded.day, recorded.units, recorded.cost,
           billed.units AS invoiced_units, billed.cost AS invoiced_cost
      FROM recorded LEFT JOIN billed ON billed.message_id = recorded.message_id
     UNION ALL
    SELECT NULL, invoice.id, NULL, NULL, NULL, invoice.units, invoice.cost
      FROM invoice WHERE NOT EXISTS (SELECT 1 FROM known WHERE known.id = invoice.id)
    """
)

# A message without cost, such as an unanswered call, may be missing on an invoice.
_DIFFERENCES: Final = text(
    """
    SELECT * FROM (
        SELECT compared.*, message.public_id,
               CASE WHEN message_id IS NULL THEN 'unknown to us'
                    WHEN compared.id IS NULL AND (compared.units > 0 OR cost <> 0)
                    THEN 'not invoiced'
                    WHEN compared.units <> invoiced_units OR abs(cost - invoiced_cost) > :tolerance
                    THEN 'differs' END AS kind
          FROM compared
          LEFT JOIN message ON message.tenant_id = :tenant_id
                           AND message.id = compared.message_id) AS told
     WHERE kind IS NOT NULL
     ORDER BY kind, day, message_id, id
    """
)

_SUMS: Final = text(
    """
    SELECT count(id) AS invoiced, COALESCE(sum(invoiced_units), 0) AS invoiced_units,
           COALESCE(sum(invoiced_cost), 0) AS invoiced_cost, count(message_id) AS recorded,
           COALESCE(sum(units), 0) AS recorded_units, COALESCE(sum(cost), 0) AS recorded_cost
      FROM compared
    """
)


async def copy_invoice(db: WriteSession, lines: Iterable[InvoiceLine]) -> Invoiced:
    """Copy an invoice into the temporary tables of this transaction."""
    await db.execute(_LINES)
    connection = await (await db.connection()).get_raw_connection()
    driver = connection.driver_connection
    assert driver is not None
    count, days = 0, _Span()
    async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for line in lines:
            count += 1
            days.add(line.day)
            await copy.write_row((line.id, line.units, line.cost))
    await db.execute(_INVOICE)
    return Invoiced(lines=count, first=days.first, last=days.last)


@dataclass(slots=True)
class _Span:
    first: date | None = None
    last: date | None = None

    def add(self, day: date | None) -> None:
        if day is not None:
            self.first = min(self.first or day, day)
            self.last = max(self.last or day, day)


async def compare(db: WriteSession, scope: Scope) -> Sums:
    """Compare the copied invoice with our records; return the totals of each."""
    facts = {
        "tenant_id": scope.tenant_id,
        "provider": scope.provider,
        "first": scope.first,
        "last": scope.last,
    }
    await db.execute(_KNOWN, facts)
    await db.execute(_COMPARED, facts)
    row: Any = (await db.execute(_SUMS)).one()
    return Sums(
        invoiced=row.invoiced,
        invoiced_units=int(row.invoiced_units),
        invoiced_cost=row.invoiced_cost,
        recorded=row.recorded,
        recorded_units=int(row.recorded_units),
        recorded_cost=row.recorded_cost,
    )


async def differences(
    db: WriteSession, tenant_id: int, tolerance: Decimal
) -> AsyncIterator[Difference]:
    """Yield every message with a difference, ordered by kind, day and message."""
    async for row in await db.stream(
        _DIFFERENCES, {"tenant_id": tenant_id, "tolerance": tolerance}
    ):
        yield Difference(
            kind=row.kind,
            message=row.public_id,
            id=row.id or "",
            day=row.day,
            units=row.units,
            cost=row.cost,
            invoiced_units=None if row.invoiced_units is None else int(row.invoiced_units),
            invoiced_cost=row.invoiced_cost,
        )
