"""Adds attempts to the shared health of provider accounts, and reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, text

from models.rules.accounts.circuit import (
    BUCKET,
    WINDOW,
    Circuit,
    CircuitReason,
    CircuitState,
    Tally,
    state_of,
)
from models.session import ReadSession, WriteSession

KEPT_FOR: Final = timedelta(minutes=10)
"""Evidence is deleted after this; it counts for a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Attempts with an account that a worker has recorded and not yet stored."""

    account: str
    group: int
    age: float
    """Seconds since the last of them."""
    tally: Tally
    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountError:
    """The latest failure of an account; it holds no contact."""

    account: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCircuit:
    """A circuit as it was read, with its version; version 0 has no row."""

    circuit: Circuit = field(default_factory=Circuit)
    version: int = 0


@dataclass(slots=True, kw_only=True)
class SharedHealth:
    """Circuits of all accounts, and the evidence about those that were asked for."""

    now: datetime | None = None
    """Time of the database; None if nothing was read."""
    circuits: dict[str, KnownCircuit] = field(default_factory=dict)
    evidence: dict[str, dict[int, Tally]] = field(default_factory=dict)


# Rows are locked in one order, to avoid deadlocks: evidence first, then circuits. A statement does
# not see what it writes, so the evidence is what it returned and the other rows of the window.
# It must not wait for the claim of a probe, which holds the row of its circuit: then the last error
# stays as it was until the next failure.
_SETTLE: Final = text(
    """
    WITH given AS (
        SELECT account, tenant_group,
               date_bin(CAST(:width AS interval), now() - age * CAST('1 second' AS interval),
                        CAST('2000-01-01Z' AS timestamptz)) AS bucket,
               attempts, failures, slow, latency_ms
          FROM unnest(CAST(:accounts AS text[]), CAST(:groups AS int[]), CAST(:ages AS float8[]),
                      CAST(:attempts AS int[]), CAST(:failures AS int[]), CAST(:slow AS int[]),
                      CAST(:latencies AS bigint[]))
               AS told (account, tenant_group, age, attempts, failures, slow, latency_ms)
    ), added AS (
        INSERT INTO account_health AS h
               (account, bucket, tenant_group, attempts, failures, slow, latency_ms)
        SELECT account, bucket, tenant_group, sum(attempts), sum(failures), sum(slow),
               sum(latency_ms)
          FROM given GROUP BY account, bucket, tenant_group ORDER BY account, bucket, tenant_group
            ON CONFLICT (account, bucket, tenant_group) DO UPDATE SET
               attempts = h.attempts + excluded.attempts,
               failures = h.failures + excluded.failures,
               slow = h.slow + excluded.slow,
               latency_ms = h.latency_ms + excluded.latency_ms
        RETURNING h.account, h.bucket, h.tenant_group, h.attempts, h.failures, h.slow
    ), free AS MATERIALIZED (
        SELECT c.account, told.error
          FROM account_circuit c
          JOIN unnest(CAST(:failed AS text[]), CAST(:errors AS text[])) AS told (account, error)
            ON told.account = c.account
         ORDER BY c.account FOR NO KEY UPDATE OF c SKIP LOCKED
    ), noted AS (
        UPDATE account_circuit c SET last_error = free.error, last_error_at = now()
          FROM free WHERE c.account = free.account
    ), failed AS (
        INSERT INTO account_circuit AS c (account, version, openings, last_error, last_error_at)
        SELECT account, 0, 0, error, now()
          FROM unnest(CAST(:failed AS text[]), CAST(:errors AS text[])) AS told (account, error)
         WHERE NOT EXISTS (SELECT 1 FROM account_circuit old WHERE old.account = told.account)
         ORDER BY account
            ON CONFLICT (account) DO NOTHING
    ), recent AS (
        SELECT account, bucket, tenant_group, attempts, failures, slow FROM added
         UNION ALL
        SELECT account, bucket, tenant_group, attempts, failures, slow FROM account_health h
         WHERE h.account = ANY(CAST(:accounts AS text[]))
           AND h.bucket > now() - CAST(:window AS interval)
           AND NOT EXISTS (
               SELECT 1 FROM added a WHERE a.account = h.account AND a.bucket = h.bucket
                  AND a.tenant_group = h.tenant_group)
    ), evidence AS (
        SELECT r.account, r.tenant_group, sum(r.attempts) AS attempts,
               sum(r.failures) AS failures, sum(r.slow) AS slow
          FROM recent r LEFT JOIN account_circuit c ON c.account = r.account
         WHERE r.bucket > now() - CAST(:window AS interval)
           AND (c.closed_at IS NULL OR r.bucket > c.closed_at)
         GROUP BY r.account, r.tenant_group
    )
    SELECT c.account, c.version, c.tenant_group, c.reason, c.openings, c.opened_at, c.open_until,
           c.closed_at, c.probe_until, e.account AS judged, e.tenant_group AS told_group,
           e.attempts, e.failures, e.slow, clock_timestamp() AS now
      FROM account_circuit c FULL JOIN evidence e ON e.account = c.account
    """
)


async def settle(
    db: WriteSession, told: Sequence[Attempts], errors: Sequence[AccountError]
) -> SharedHealth:
    """Store attempts and errors, and return all circuits with the evidence about their accounts.

    It is one statement. Not idempotent: attempts that are stored twice count twice, which is why an
    account is judged by many. Evidence from before a circuit closed does not count.
    """
    rows = await db.execute(
        _SETTLE,
        {
            "width": BUCKET,
            "window": WINDOW,
            "accounts": [one.account for one in told],
            "groups": [one.group for one in told],
            "ages": [one.age for one in told],
            "attempts": [one.tally.attempts for one in told],
            "failures": [one.tally.failures for one in told],
            "slow": [one.tally.slow for one in told],
            "latencies": [one.latency_ms for one in told],
            "failed": [one.account for one in errors],
            "errors": [one.error for one in errors],
        },
    )
    shared = SharedHealth()
    for row in rows:
        shared.now = row.now
        if row.account is not None:
            shared.circuits[row.account] = known_circuit(row)
        if row.judged is not None:
            groups = shared.evidence.setdefault(row.judged, {})
            groups[row.told_group] = Tally(
                attempts=int(row.attempts), failures=int(row.failures), slow=int(row.slow)
            )
    return shared


def known_circuit(row: Row[Any]) -> KnownCircuit:
    """Return the circuit of a row of `account_circuit`."""
    return KnownCircuit(
        version=row.version,
        circuit=Circuit(
            group=row.tenant_group,
            reason=None if row.reason is None else CircuitReason(row.reason),
            openings=row.openings,
            opened_at=row.opened_at,
            open_until=row.open_until,
            closed_at=row.closed_at,
            probe_until=row.probe_until,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReading:
    """The circuit of an account and its attempts of the last minute, for operators."""

    state: CircuitState = CircuitState.CLOSED
    circuit: Circuit = field(default_factory=Circuit)
    since: datetime | None = None
    """When it opened or closed; None if it never opened."""
    total: Tally = field(default_factory=Tally)
    latency: timedelta | None = None
    """Mean of all calls; None without a call."""
    last_error: str | None = None
    last_error_at: datetime | None = None


_READ: Final = text(
    """
    SELECT COALESCE(c.account, h.account) AS name, c.account, c.version, c.tenant_group, c.reason,
           c.openings, c.opened_at, c.open_until, c.closed_at, c.probe_until, c.last_error,
           c.last_error_at, h.attempts, h.failures, h.slow, h.latency_ms, clock_timestamp() AS now
      FROM account_circuit c
      FULL JOIN (
           SELECT account, sum(attempts) AS attempts, sum(failures) AS failures,
                  sum(slow) AS slow, sum(latency_ms) AS latency_ms
             FROM account_health
            WHERE bucket > clock_timestamp() - CAST(:window AS interval)
            GROUP BY account) h ON h.account = c.account
    """
)


async def read_accounts(db: ReadSession | WriteSession) -> Mapping[str, AccountReading]:
    """Return the health of every account that has been used; one that is missing is closed."""
    return {row.name: _reading(row) for row in await db.execute(_READ, {"window": WINDOW})}


def _reading(row: Row[Any]) -> AccountReading:
    circuit = Circuit() if row.account is None else known_circuit(row).circuit
    attempts = int(row.attempts or 0)
    return AccountReading(
        state=state_of(circuit, row.now),
        circuit=circuit,
        since=circuit.closed_at if circuit.open_until is None else circuit.opened_at,
        total=Tally(attempts=attempts, failures=int(row.failures or 0), slow=int(row.slow or 0)),
        latency=timedelta(milliseconds=float(row.latency_ms / attempts)) if attempts else None,
        last_error=row.last_error,
        last_error_at=row.last_error_at,
    )


_DELETE_EXPIRED: Final = text(
    """
    WITH old AS MATERIALIZED (
        SELECT account, bucket, tenant_group FROM account_health
         WHERE bucket < :before ORDER BY bucket LIMIT :most FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM account_health
         WHERE (account, bucket, tenant_group) IN (
               SELECT account, bucket, tenant_group FROM old)
        RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
)


async def delete_expired(db: WriteSession, *, now: datetime, most: int) -> int:
    """Delete evidence that counts no more; return how many rows were deleted."""
    values = {"before": now - KEPT_FOR, "most": most}
    return int(await db.scalar(_DELETE_EXPIRED, values) or 0)
