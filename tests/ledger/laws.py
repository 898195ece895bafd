"""Invariants of the ledger, checked from its entries alone, with the violating rows in errors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import text

from models.session import Database, ReadSession
from tests.factories import Owner

Limits = Sequence[tuple[int, int]]
"""The allowance in force after an entry id; oldest first."""


Total: TypeAlias = tuple[int, int, Decimal, Decimal, Decimal]
"""Of a day: messages, units, total provider cost, the carrier fees in it, markup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Every row of one tenant that concerns units."""

    account: Any
    months: Mapping[str, Any]
    entries: Sequence[Any]
    messages: Mapping[int, Any]
    records: Mapping[int, Any]
    corrections: Sequence[Any]
    days: Mapping[Any, Total]
    payments: Mapping[int, Any]


async def read_books(db: ReadSession, owner: Owner) -> Books:
    async def rows(sql: str) -> Sequence[Any]:
        ids = {"t": owner.tenant_id, "m": owner.merchant_id}
        return (await db.execute(text(sql), ids)).all()

    mine = "tenant_id = :t AND merchant_id = :m AND channel = 'SMS'"
    (account,) = await rows(f"SELECT available, held FROM credit_account WHERE {mine}")
    months = await rows(f"SELECT month, used, held, credits_used FROM allowance_month WHERE {mine}")
    entries = await rows(
        "SELECT id, kind, units, credit_units, balance, month, message_id, payment_id"
        " FROM ledger_entry"
        f" WHERE {mine} ORDER BY id"
    )
    messages = await rows(
        "SELECT id, status, units, billed_units, month, held_allowance, held_credits,"
        " completed_at, corrected_at"
        f" FROM message WHERE {mine}"
    )
    records = await rows(f"SELECT * FROM usage_record WHERE {mine}")
    corrections = await rows(f"SELECT * FROM usage_correction WHERE {mine} ORDER BY id")
    days = await rows(f"SELECT * FROM usage_day WHERE {mine}")
    payments = await rows(
        f"SELECT id, units, status, fulfilled_at, refund_due_at FROM payment WHERE {mine}"
    )
    return Books(
        account=account,
        months={row.month: row for row in months},
        entries=entries,
        messages={row.id: row for row in messages},
        records={row.message_id: row for row in records},
        corrections=corrections,
        days={
            row.day: (
                row.messages,
                row.units,
                row.aws_cost + row.provider_cost,
                row.carrier_fees,
                row.markup,
            )
            for row in days
        },
        payments={row.id: row for row in payments},
    )


async def check_laws(database: Database, owner: Owner, limits: Limits) -> Books:
    """Read everything in one snapshot and check every invariant."""
    async with database.read() as db:
        await db.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        books = await read_books(db, owner)
    _entries_make_the_account(books, limits)
    _every_message_is_paid_once(books)
    _usage_agrees(books)
    _credits_were_paid_for(books)
    return books


def _entries_make_the_account(books: Books, limits: Limits) -> None:
    """Replay the entries in order: each fits its predecessors, and the sums equal the accounts."""
    available = held = 0
    months: defaultdict[str, dict[str, int]] = defaultdict(
        lambda: {"used": 0, "held": 0, "credits_used": 0}
    )
    for entry in books.entries:
        month = months[entry.month]
        allowance = entry.units - entry.credit_units
        assert entry.units > 0, "an entry moves something"
        match entry.kind:
            case "TOPUP":
                available += entry.units
            case "HOLD":
                limit = next(limit for after, limit in reversed(limits) if after < entry.id)
                room = max(limit - month["used"] - month["held"], 0)
                assert allowance == min(entry.units, room), "allowance first"
                month["held"] += allowance
                available -= entry.credit_units
                held += entry.credit_units
            case "CAPTURE":
                month["held"] -= allowance
                month["used"] += allowance
                month["credits_used"] += entry.credit_units
                held -= entry.credit_units
            case "RELEASE":
                month["held"] -= allowance
                held -= entry.credit_units
                available += entry.credit_units
        assert entry.balance == available, f"balance of entry {entry.id} ({entry.kind})"
        assert min(available, held, *month.values()) >= 0, "nothing negative"
    assert (books.account.available, books.account.held) == (available, held)
    found = {
        name: {"used": row.used, "held": row.held, "credits_used": row.credits_used}
        for name, row in books.months.items()
    }
    nothing = {"used": 0, "held": 0, "credits_used": 0}
    for name in found.keys() | months.keys():
        assert found.get(name, nothing) == months.get(name, nothing), name


def _every_message_is_paid_once(books: Books) -> None:
    """One hold per message; captured and released sum up to it, allowance first."""
    by_message: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for entry in books.entries:
        if entry.message_id is not None:
            assert entry.kind not in by_message[entry.message_id], "at most once"
            by_message[entry.message_id][entry.kind] = entry
    assert by_message.keys() == books.messages.keys()
    for message in books.messages.values():
        entries = by_message[message.id]
        hold, capture, release = (entries.get(k) for k in ("HOLD", "CAPTURE", "RELEASE"))
        assert hold is not None
        assert {entry.month for entry in entries.values()} == {message.month}
        assert (hold.units, hold.credit_units) == (message.units, message.held_credits)
        assert message.held_allowance + message.held_credits == message.units
        parts = [part for part in (capture, release) if part is not None]
        if message.completed_at is None:
            assert not parts
            continue
        assert sum(part.units for part in parts) == message.units
        assert sum(part.credit_units for part in parts) == message.held_credits
        captured = 0 if capture is None else capture.units
        assert captured == message.billed_units
        if capture is not None:
            first = min(captured, message.held_allowance)
            assert capture.units - capture.credit_units == first, "allowance first"


def _usage_agrees(books: Books) -> None:
    """Records have the captured units; a day is the sum of its records and corrections."""
    totals: defaultdict[Any, list[Any]] = defaultdict(lambda: [0, 0, *[Decimal(0)] * 3])
    for record in books.records.values():
        message = books.messages[record.message_id]
        assert message.completed_at is not None
        assert record.units == message.billed_units
        totals[record.day][0] += 1
        totals[record.day][1] += record.units
        assert (record.state == "FINAL") == (record.gap is None)
    for part in (*books.records.values(), *books.corrections):
        total = totals[part.day]
        total[2] += part.cost + part.carrier_fee
        total[3] += part.carrier_fee
        total[4] += part.markup
    assert books.days == {day: tuple(total) for day, total in totals.items()}
    for message in books.messages.values():
        assert message.id in books.records or message.billed_units == 0


def _credits_were_paid_for(books: Books) -> None:
    """Credits are granted once per payment that succeeded and was fulfilled, and never
    otherwise.
    """
    topups = [(e.payment_id, e.units, e.credit_units) for e in books.entries if e.kind == "TOPUP"]
    paid = [p for p in books.payments.values() if p.fulfilled_at is not None]
    assert sorted(topups) == sorted((p.id, p.units, p.units) for p in paid)
    assert {p.status for p in paid} <= {"SUCCEEDED"}
    assert all(p.refund_due_at is None for p in paid)
    assert not any(e.payment_id for e in books.entries if e.kind not in ("TOPUP", "REFUND"))
