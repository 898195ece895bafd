"""Changes circuits of provider accounts, and takes the lease of their probes."""

from datetime import timedelta
from typing import Final

from sqlalchemy import text

from models.queries.accounts.health import KnownCircuit, known_circuit
from models.rules.accounts.circuit import Circuit
from models.session import WriteSession

_CHANGE: Final = text(
    """
    INSERT INTO account_circuit AS c
           (account, version, tenant_group, reason, openings, opened_at, open_until, closed_at,
            probe_until)
    VALUES (:account, 1, CAST(:group AS smallint), CAST(:reason AS text), :openings,
            CAST(:opened_at AS timestamptz), CAST(:open_until AS timestamptz),
            CAST(:closed_at AS timestamptz), CAST(:probe_until AS timestamptz))
        ON CONFLICT (account) DO UPDATE SET
           version = c.version + 1, tenant_group = excluded.tenant_group,
           reason = excluded.reason, openings = excluded.openings,
           opened_at = excluded.opened_at, open_until = excluded.open_until,
           closed_at = excluded.closed_at, probe_until = excluded.probe_until
     WHERE c.version = :version
    RETURNING c.version
    """
)


async def change(db: WriteSession, account: str, *, seen: int, circuit: Circuit) -> int | None:
    """Store a circuit if its version is still the one `seen`; return the new version.

    None if another worker has changed it meanwhile.
    """
    version: int | None = await db.scalar(
        _CHANGE,
        {
            "account": account,
            "version": seen,
            "group": circuit.group,
            "reason": circuit.reason,
            "openings": circuit.openings,
            "opened_at": circuit.opened_at,
            "open_until": circuit.open_until,
            "closed_at": circuit.closed_at,
            "probe_until": circuit.probe_until,
        },
    )
    return version


# A row that another claim has locked is skipped: that claim takes the lease.
_TAKE_PROBE: Final = text(
    """
    UPDATE account_circuit
       SET version = version + 1,
           probe_until = clock_timestamp() + CAST(:lease AS interval)
     WHERE account = (
           SELECT account FROM account_circuit
            WHERE account = :account AND open_until <= clock_timestamp()
              AND (probe_until IS NULL OR probe_until <= clock_timestamp())
              FOR UPDATE SKIP LOCKED)
    RETURNING version, tenant_group, reason, openings, opened_at, open_until, closed_at, probe_until
    """
)


async def take_probe(db: WriteSession, account: str, *, lease: timedelta) -> KnownCircuit | None:
    """Take the lease of the probe of a half-open circuit; None if another attempt has it.

    The caller commits the attempt with it. The row is the last that its transaction locks.
    """
    row = (await db.execute(_TAKE_PROBE, {"account": account, "lease": lease})).one_or_none()
    return None if row is None else known_circuit(row)
