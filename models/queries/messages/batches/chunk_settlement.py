"""Ends several messages: status, ledger, usage and totals of equal ones in one statement."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from models.enums import OPEN, TERMINAL
from models.queries.accounts.spending import book
from models.queries.billing.allowances import LIMIT
from models.queries.billing.usage_days import DayIsClosed
from models.queries.billing.usage_posting import TOO_LATE, USED_BY_SEVERAL, lock_days
from models.queries.messages.settlement import LedgerBroken, values_of, warn
from models.queries.messages.settlement_facts import LockedMessage
from models.queries.messages.status_steps import may_step
from models.rules.billing.periods import day_of
from models.rules.messages.settlement import End
from models.session import WriteSession

# The statement of a single end, for messages with equal values: it moves each row as that one, and
# locks rows in the same order: month, credits, messages, day. Each ledger entry has the balance as
# if the messages had ended one after another. It is not used for single sends, because the driver
# parses a statement of more than 4,096 bytes on each execution.
_END = text(
    f"""
    WITH open AS (
        SELECT id, funded FROM message
         WHERE tenant_id = :tenant_id AND id = ANY(CAST(:message_ids AS bigint[]))
           AND completed_at IS NULL
    ), size AS (
        SELECT count(*) AS n FROM open WHERE funded HAVING count(*) > 0
    ), month AS (
        UPDATE allowance_month
           SET held = held - size.n * :held_allowance,
               used = used + size.n * :captured_allowance,
               credits_used = credits_used + size.n * :captured_credits
          FROM size
         WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id
           AND channel = :channel AND month = :month
        RETURNING used, size.n
    ), account AS (
        UPDATE credit_account
           SET held = held - month.n * :held_credits,
               available = available + month.n * :released_credits
          FROM month
         WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
        RETURNING available, held, month.n
    ), ended AS (
        UPDATE message
           SET status = :status, error_code = :error_code, provider_code = :provider_code,
               provider = COALESCE(:provider, provider), billed_units = :captured,
               completed_at = :now
          FROM open LEFT JOIN account ON TRUE
         WHERE tenant_id = :tenant_id AND message.id = open.id
           AND (account.available IS NOT NULL OR NOT open.funded)
           AND ({may_step(OPEN, TERMINAL)} OR status = 'SENT' AND CAST(:status AS text) = 'SENT')
        RETURNING message.id
    ), entries AS (
        INSERT INTO ledger_entry
               (tenant_id, merchant_id, channel, kind, units, credit_units, balance, month,
                message_id, at)
        SELECT :tenant_id, :merchant_id, :channel, p.kind, p.units, p.credits,
               account.available - (account.n - turns.turn + p.before) * :released_credits,
               :month, turns.id, :now
          FROM account, (SELECT id, row_number() OVER (ORDER BY id) AS turn FROM ended) AS turns,
               (VALUES ('CAPTURE', CAST(:captured AS int), CAST(:captured_credits AS int), 1),
                       ('RELEASE', :released, :released_credits, 0))
               AS p (kind, units, credits, before)
         WHERE p.units > 0
         ORDER BY turns.turn, p.kind
    ), {USED_BY_SEVERAL}, applied AS (
        UPDATE receipt SET applied_at = :now FROM ended
         WHERE tenant_id = :tenant_id AND message_id = ended.id AND applied_at IS NULL
           AND receipt.id = ANY(CAST(:receipts AS bigint[]))
    )
    SELECT (SELECT count(*) FROM open) AS moved, (SELECT count(*) FROM ended) AS booked,
           {TOO_LATE} AS too_late,
           (SELECT used FROM month) AS used,
           (SELECT available + held FROM account) AS remaining,
           (SELECT {LIMIT}
              FROM merchant WHERE tenant_id = :tenant_id AND id = :merchant_id) AS allowance
    """  # noqa: S608 - every value is a parameter
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Messages that end with the same values."""

    end: End
    values: Mapping[str, Any]
    messages: list[LockedMessage] = field(default_factory=list)


async def end_several(
    db: WriteSession,
    ends: Iterable[tuple[LockedMessage, End]],
    now: datetime,
    *,
    price_reporters: Collection[str] = (),
) -> Counter[str]:
    """End messages, each as `end_message` does; return how many had not ended before, by status.

    Their locks were taken together. Messages of another month must not be ended in the same
    transaction. Messages with equal values are one statement, those of an earlier day first. What
    they cost is booked once, after all of them: it locks rows that the claims of other tenants lock
    too, in one order.

    Raises:
        LedgerBroken: a bug.
        DayIsClosed: the clock of this process is slow; a retry succeeds.
    """
    groups = _groups(ends, now, price_reporters)
    rows = [await _end(db, group) for group in groups]
    ended = [(group, row) for group, row in zip(groups, rows, strict=True) if row.booked]
    guarded = [m for group, _ in ended for m in group.messages if m.guarded]
    if guarded:
        ids = [message.message_id for message in guarded]
        await book(db, tenant_id=guarded[0].tenant_id, message_ids=ids)
    counts: Counter[str] = Counter()
    for group, row in ended:
        await warn(db, group.messages[0], group.end, row, group.values, ended=row.booked)
        counts[group.end.status] += row.booked
    return counts


def _groups(
    ends: Iterable[tuple[LockedMessage, End]], now: datetime, price_reporters: Collection[str]
) -> list[_Group]:
    """Return the messages by what is written; the days are locked in this order."""
    groups: dict[tuple[Any, ...], _Group] = {}
    for message, end in ends:
        values = values_of(message, end, now, price_reporters)
        group = groups.setdefault((message.funded, *values.values()), _Group(end, values))
        group.messages.append(message)
    return sorted(groups.values(), key=lambda group: (str(group.end.day), group.end.status))


async def _end(db: WriteSession, group: _Group) -> Row[Any]:
    first, end = group.messages[0], group.end
    if end.day is not None:
        await lock_days(db, first, {end.day, day_of(group.values["now"])})
    row = (
        await db.execute(
            _END,
            {
                **group.values,
                "message_ids": [message.message_id for message in group.messages],
                "receipts": [id for message in group.messages for id in message.receipts],
            },
        )
    ).one()
    if row.moved != row.booked:
        raise LedgerBroken
    if row.booked and row.too_late:
        raise DayIsClosed
    return row
