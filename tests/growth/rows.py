"""Fills the tables of a send by SQL, as they are after many sends of many tenants.

Triggers and foreign keys are off while rows are written, so that a million messages take minutes.
What the keys demand holds all the same, and so do the laws of the ledger.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import sql

from tests.factories import Owner
from tests.growth.accounts import make_tenants

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

_KEYS: Final = "grown-"
"""How the Idempotency-Keys of these messages begin."""

# Two in five messages are of one tenant, the others of tenants of very different sizes.
_MESSAGES: Final = """
    INSERT INTO message (tenant_id, delivery_mode, merchant_id, channel, type, contact_key,
                         to_contact, sender, body, details, attributes, operation, scope,
                         idempotency_key, fingerprint, status, error_code, provider, account,
                         attempts, units, billed_units, month, funded, held_allowance,
                         held_credits, accepted_at, due_at, sent_at, completed_at, sweep_at)
    SELECT place.tenant_id, 'SIMULATOR', place.merchant_id, way.channel, kind.type,
           '1.' || md5(way.contact) || md5('x' || way.contact), way.contact,
           CASE way.channel WHEN 'EMAIL' THEN place.address ELSE place.sender END,
           repeat('Your appointment is confirmed. ', 3), '{}',
           CASE WHEN dice.metadata < 0.3
                THEN jsonb_build_object('shop', 'north', 'orderId', 'A-' || n) ELSE '{}' END,
           'send-' || lower(way.channel), '', 'grown-' || md5(CAST(n AS text)),
           md5(CAST(n AS text)) || md5('y' || n), fate.status,
           CASE fate.status WHEN 'FAILED' THEN 'PROVIDER_REFUSED'
                            WHEN 'UNDELIVERED' THEN 'UNREACHABLE' END,
           CASE WHEN fate.status <> 'CANCELED' THEN 'simulator' END,
           CASE WHEN fate.status <> 'CANCELED' THEN 'simulator' END,
           CASE WHEN fate.status = 'CANCELED' THEN 0 WHEN dice.again < 0.05 THEN 2 ELSE 1 END,
           1, CASE WHEN fate.status IN ('CANCELED', 'FAILED', 'UNKNOWN') THEN 0 ELSE 1 END,
           to_char(day.at AT TIME ZONE 'UTC', 'YYYY-MM'), TRUE, 1, 0,
           day.at, day.at,
           CASE WHEN fate.status NOT IN ('CANCELED', 'FAILED') THEN day.at + interval '1 s' END,
           day.at + interval '3 s', day.at + interval '1 min'
      FROM generate_series(CAST(%(first)s AS bigint), %(last)s) AS n,
           LATERAL (SELECT random() + 0 * n AS own, random() + 0 * n AS tenant,
                           random() + 0 * n AS channel, random() + 0 * n AS type,
                           random() + 0 * n AS fate, random() + 0 * n AS again,
                           random() + 0 * n AS metadata OFFSET 0) AS dice
      JOIN grown_place AS place ON place.number =
           CASE WHEN dice.own < 0.4 THEN 0
                ELSE 1 + CAST(floor(power(dice.tenant, 3) * %(tenants)s) AS int) END,
           LATERAL (SELECT CASE WHEN dice.channel < 0.8 THEN 'SMS'
                                WHEN dice.channel < 0.85 THEN 'VOICE' ELSE 'EMAIL' END AS channel,
                           CASE WHEN dice.channel < 0.85
                                THEN '+1813' || lpad(CAST(n / 4 %% 10000000 AS text), 7, '0')
                                ELSE 'member' || n / 4 || '@example.com' END AS contact) AS way,
           LATERAL (SELECT (ARRAY['OTP', 'OTP', 'TRANSACTIONAL', 'TRANSACTIONAL', 'REMINDER',
                                  'NOTIFICATION'])[1 + CAST(floor(dice.type * 6) AS int)]
                        AS type) AS kind,
           LATERAL (SELECT CASE WHEN dice.fate < 0.93 THEN 'DELIVERED'
                                WHEN dice.fate < 0.955 THEN 'UNDELIVERED'
                                WHEN dice.fate < 0.975 THEN 'FAILED'
                                WHEN dice.fate < 0.985 THEN 'CANCELED'
                                WHEN dice.fate < 0.99 THEN 'UNKNOWN' ELSE 'SENT' END
                        AS status) AS fate,
           LATERAL (SELECT now() - interval '29 days'
                           * (1 - (n - %(first)s + 1) / (%(last)s - %(first)s + 2.0)) AS at) AS day
     ORDER BY n
"""

# Two in three of them wait for their time, the others for a report. Nobody looks at them for a day.
_WAITING: Final = """
    INSERT INTO message (tenant_id, delivery_mode, merchant_id, channel, type, contact_key,
                         to_contact, sender, body, details, attributes, operation, scope,
                         idempotency_key, fingerprint, status, provider, account, attempts, units,
                         billed_units, month, funded, held_allowance, held_credits, accepted_at,
                         due_at, sent_at, sweep_at, ready_at)
    SELECT place.tenant_id, 'SIMULATOR', place.merchant_id, 'SMS', 'REMINDER',
           '1.' || md5(contact) || md5('x' || contact), contact, place.sender,
           repeat('Your appointment is tomorrow. ', 3), '{}', '{}', 'send-sms', '',
           'grown-waiting-' || md5(CAST(n AS text)), md5(CAST(n AS text)) || md5('y' || n),
           CASE WHEN sent THEN 'SENT' ELSE 'SCHEDULED' END,
           CASE WHEN sent THEN 'simulator' END, CASE WHEN sent THEN 'simulator' END,
           CASE WHEN sent THEN 1 ELSE 0 END, 1, 0,
           to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), TRUE, 1, 0,
           now() - interval '1 h', due.at, CASE WHEN sent THEN due.at END,
           GREATEST(due.at, now() + interval '1 day'),
           CASE WHEN NOT sent THEN due.at END
      FROM generate_series(1, CAST(%(count)s AS bigint)) AS n,
           LATERAL (SELECT n %% 3 = 0 AS sent, '+1727' || lpad(CAST(n AS text), 7, '0') AS contact
                   ) AS one,
           LATERAL (SELECT CASE WHEN sent THEN now() - interval '1 h'
                                ELSE now() + (1 + n %% 28) * interval '1 day' END AS at) AS due,
           grown_place AS place
     WHERE place.number = CASE WHEN n %% 5 < 2 THEN 0 ELSE 1 + n %% %(tenants)s END
     ORDER BY n
"""

_NEW: Final = "m.id > %(after)s AND m.idempotency_key LIKE 'grown-%%'"
"""SQL of the messages that were added last."""

_PARTS: Final = {
    "attempt": f"""
        INSERT INTO attempt (tenant_id, message_id, number, provider, account, state, requested_at,
                             deadline, finished_at, provider_message_id, everywhere)
        SELECT m.tenant_id, m.id, number, 'simulator', 'simulator',
               CASE WHEN number < m.attempts THEN 'NOT_PROCESSED'
                    WHEN m.status = 'FAILED' THEN 'REFUSED'
                    WHEN m.status = 'UNKNOWN' THEN 'AMBIGUOUS' ELSE 'ACCEPTED' END,
               m.due_at, m.due_at + interval '10 s', m.due_at + interval '1 s',
               CASE WHEN number = m.attempts AND m.status NOT IN ('FAILED', 'UNKNOWN')
                    THEN md5('id' || m.id) END, FALSE
          FROM message m, generate_series(1, CAST(m.attempts AS int)) AS number
         WHERE {_NEW}
    """,
    "receipt": f"""
        INSERT INTO receipt (tenant_id, provider, account, event_id, message_id, attempt, status,
                             phase, reported_at, received_at, look_at, applied_at)
        SELECT m.tenant_id, 'simulator', 'simulator', md5('event' || number || m.id), m.id,
               m.attempts, CASE WHEN number = 1 THEN m.status ELSE 'SENT' END,
               CASE WHEN number = 1 THEN lower(m.status) ELSE 'sent' END, m.completed_at,
               m.completed_at, m.completed_at, m.completed_at
          FROM message m, generate_series(1, CASE WHEN m.id %% 3 = 0 THEN 2 ELSE 1 END) AS number
         WHERE {_NEW} AND m.status IN ('DELIVERED', 'UNDELIVERED')
    """,
    "ledger_entry": f"""
        INSERT INTO ledger_entry (tenant_id, merchant_id, channel, kind, units, credit_units,
                                  balance, month, message_id, at)
        SELECT m.tenant_id, m.merchant_id, m.channel, entry.kind, m.units, 0, 0, m.month, m.id,
               entry.at
          FROM message m, LATERAL (
                SELECT 'HOLD' AS kind, m.accepted_at AS at
                UNION ALL
                SELECT CASE WHEN m.billed_units > 0 THEN 'CAPTURE' ELSE 'RELEASE' END,
                       m.completed_at
                 WHERE m.completed_at IS NOT NULL) AS entry
         WHERE {_NEW}
    """,
    "allowance_month": f"""
        INSERT INTO allowance_month AS am
               (tenant_id, merchant_id, channel, month, used, held, credits_used)
        SELECT m.tenant_id, m.merchant_id, m.channel, m.month, sum(m.billed_units),
               count(*) FILTER (WHERE m.completed_at IS NULL), 0
          FROM message m WHERE {_NEW}
         GROUP BY m.tenant_id, m.merchant_id, m.channel, m.month
        ON CONFLICT (tenant_id, merchant_id, channel, month) DO UPDATE
           SET used = am.used + excluded.used, held = am.held + excluded.held
    """,
    "usage_record": f"""
        INSERT INTO usage_record (tenant_id, message_id, merchant_id, channel, provider, day,
                                  units, state, country, cost_units, cost, markup, priced_by,
                                  recorded_at)
        SELECT m.tenant_id, m.id, m.merchant_id, m.channel, 'simulator',
               CAST(m.due_at AT TIME ZONE 'UTC' AS date), m.billed_units, 'FINAL', 'US',
               m.billed_units, 0.0079, 0.0012, 'CARD', m.completed_at
          FROM message m WHERE {_NEW} AND m.billed_units > 0
    """,
    "usage_day": f"""
        INSERT INTO usage_day AS day (tenant_id, day, merchant_id, channel, messages, units,
                                      provider_cost, markup, delivered)
        SELECT u.tenant_id, u.day, u.merchant_id, u.channel, count(*), sum(u.units), sum(u.cost),
               sum(u.markup), count(*)
          FROM usage_record u JOIN message m ON m.tenant_id = u.tenant_id AND m.id = u.message_id
         WHERE {_NEW} GROUP BY u.tenant_id, u.day, u.merchant_id, u.channel
        ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
           SET messages = day.messages + excluded.messages, units = day.units + excluded.units,
               provider_cost = day.provider_cost + excluded.provider_cost,
               markup = day.markup + excluded.markup,
               delivered = day.delivered + excluded.delivered
    """,
    "message_metadata": f"""
        INSERT INTO message_metadata (tenant_id, pair, message_id)
        SELECT m.tenant_id, pair, m.id
          FROM message m, LATERAL (
                SELECT CAST(md5('north' || m.tenant_id) AS uuid) AS pair
                UNION ALL SELECT gen_random_uuid()) AS pairs
         WHERE {_NEW} AND m.attributes <> '{{}}'
    """,
    "consent": f"""
        INSERT INTO consent (tenant_id, merchant_id, channel, contact_key, contact, status, source,
                             version, updated_at)
        SELECT DISTINCT ON (m.tenant_id, m.merchant_id, m.channel, m.contact_key)
               m.tenant_id, m.merchant_id, m.channel, m.contact_key, m.to_contact, 'OPT_IN',
               'checkout-form', m.id, m.accepted_at
          FROM message m WHERE {_NEW} AND m.id %% 3 = 0
        ON CONFLICT DO NOTHING
    """,
    "consent_change": f"""
        INSERT INTO consent_change (tenant_id, merchant_id, channel, contact_key, contact, status,
                                    source, changed_at)
        SELECT m.tenant_id, m.merchant_id, m.channel, m.contact_key, m.to_contact, 'OPT_IN',
               'checkout-form', m.accepted_at
          FROM message m WHERE {_NEW} AND m.id %% 3 = 0
    """,
    "suppression": f"""
        INSERT INTO suppression (tenant_id, merchant_id, channel, contact_key, reason, source,
                                 suppressed_at)
        SELECT m.tenant_id, m.merchant_id, m.channel, m.contact_key, 'HARD_BOUNCE',
               'simulator: bounced', m.accepted_at
          FROM message m WHERE {_NEW} AND m.status = 'UNDELIVERED'
        ON CONFLICT DO NOTHING
    """,
    "attempt_cost": f"""
        INSERT INTO attempt_cost (tenant_id, message_id, number, account, day, reserved, booked)
        SELECT m.tenant_id, m.id, m.attempts, 'simulator',
               CAST(m.due_at AT TIME ZONE 'UTC' AS date), 0, 0.0079
          FROM message m WHERE {_NEW} AND m.attempts > 0 AND m.id %% 5 = 0
    """,
    "destination_window": f"""
        INSERT INTO destination_window (tenant_id, merchant_id, destination_key, sent_at,
                                        expires_at)
        SELECT DISTINCT ON (m.tenant_id, m.contact_key)
               m.tenant_id, 0, left(m.contact_key, 66), ARRAY[m.accepted_at],
               now() + interval '1 day'
          FROM message m WHERE {_NEW} AND m.id %% 10 = 0
        ON CONFLICT DO NOTHING
    """,
    "webhook_delivery": f"""
        INSERT INTO webhook_delivery (tenant_id, endpoint_id, event_id, type, merchant_id, subject,
                                      subject_id, number, state, status, attempts, created_at)
        SELECT m.tenant_id, endpoint.id, m.public_id,
               CASE number WHEN 1 THEN 'message.accepted' ELSE 'message.delivered' END,
               m.merchant_id, 'MESSAGE', m.id, number, '{{"status": "DELIVERED"}}', 'SUCCEEDED', 1,
               m.accepted_at
          FROM message m JOIN webhook_endpoint endpoint ON endpoint.tenant_id = m.tenant_id,
               generate_series(1, 3, 2) AS number
         WHERE {_NEW} AND m.completed_at IS NOT NULL
    """,
    "inbound_message": f"""
        INSERT INTO inbound_message (tenant_id, merchant_id, provider, event_id, kind, sender,
                                     contact_key, number, body, sent_at, received_at)
        SELECT m.tenant_id, m.merchant_id, 'simulator', md5('in' || m.id), 'OTHER', m.to_contact,
               m.contact_key, m.sender, 'Thanks', m.accepted_at, m.accepted_at
          FROM message m WHERE {_NEW} AND m.channel = 'SMS' AND m.id %% 50 = 0
    """,
}
"""SQL of what the messages leave in other tables, by table."""


@dataclass(frozen=True, slots=True)
class Filler:
    """Adds rows to one database, for a tenant that has two fifths of them and for many others."""

    db: Connection
    tenants: int

    async def add(self, first: int, last: int) -> None:
        """Add ended messages with these numbers, and what they left."""
        await self._add(_MESSAGES, {"first": first, "last": last, "tenants": self.tenants})

    async def add_waiting(self, count: int) -> None:
        """Add messages that wait for their time or their report."""
        await self._add(_WAITING, {"count": count, "tenants": self.tenants})

    async def remove_tenants(self) -> None:
        """Delete the other tenants with all their rows."""
        found = await self.db.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'tenant_id'"
        )
        tables = [(table, "tenant_id") for (table,) in await found.fetchall()]
        delete = sql.SQL(
            "DELETE FROM {} WHERE {} IN (SELECT tenant_id FROM grown_place WHERE number > 0)"
        )
        async with self.db.transaction():
            await self.db.execute("SET LOCAL session_replication_role = replica")
            for table, column in (*tables, ("tenant", "id")):
                await self.db.execute(delete.format(sql.Identifier(table), sql.Identifier(column)))

    async def _add(self, messages: str, values: dict[str, int]) -> None:
        async with self.db.transaction():
            await self.db.execute("SET LOCAL session_replication_role = replica")
            found = await self.db.execute("SELECT COALESCE(max(id), 0) FROM message")
            after = (await found.fetchone() or (0,))[0]
            await self.db.execute(messages.encode(), values)
            for part in _PARTS.values():
                await self.db.execute(part.encode(), {"after": after})
        await self.db.execute("VACUUM ANALYZE")


async def open_filler(db: Connection, owner: Owner, *, tenants: int = 1000) -> Filler:
    """Add so many tenants, each with a merchant, and return what fills the tables.

    `owner` gets two fifths of all messages.
    """
    await make_tenants(db, owner, tenants)
    return Filler(db, tenants)
