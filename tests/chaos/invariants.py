"""Invariants of a tenant without open messages, after any failure: a list of violations."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from models.enums import TERMINAL, MessageStatus
from models.rules.messages.reference import parse_reference
from tests.chaos.payments import MONEY_LAWS
from tests.e2e.harness import Integrator

ARRIVED: Final = {
    MessageStatus.DELIVERED: {1},
    MessageStatus.UNDELIVERED: {0},
    MessageStatus.FAILED: {0},
    MessageStatus.CANCELED: {0},
    MessageStatus.UNKNOWN: {0, 1},
}
"""Permitted copies per recipient for each final status."""

_TOLD: Final = """EXISTS (
    SELECT 1 FROM receipt r WHERE r.tenant_id = a.tenant_id
       AND r.message_id = a.message_id AND r.attempt = a.number)"""
"""A report about attempt `a` is stored."""


def _laws_of_attempts(told: str) -> dict[str, str]:
    """Return the invariants of attempts; one for which `told` holds counts as accepted."""
    return {
        "a usage record stands for every message a provider took, with its units": f"""
            SELECT m.id, m.status, u.units FROM message m
              LEFT JOIN usage_record u ON u.tenant_id = m.tenant_id AND u.message_id = m.id
             WHERE m.tenant_id = :tenant
               AND (EXISTS (SELECT 1 FROM attempt a WHERE a.tenant_id = m.tenant_id
                               AND a.message_id = m.id AND (a.state = 'ACCEPTED' OR {told}))
                    <> (u.message_id IS NOT NULL) OR u.units <> m.billed_units)
        """,
        "no attempt is in doubt, and at most one was accepted": f"""
            SELECT m.id, array_agg(a.state ORDER BY a.number) FROM message m
              JOIN attempt a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
             WHERE m.tenant_id = :tenant AND m.status <> 'UNKNOWN'
             GROUP BY m.id
            HAVING count(*) FILTER (WHERE a.state = 'ACCEPTED') > 1
                OR count(*) FILTER (WHERE a.state IN ('REQUESTED', 'AMBIGUOUS')
                                   AND NOT {told}) > 0
                OR count(*) <> max(m.attempts)
        """,
    }


LAWS: Final = {
    "every message has ended": """
        SELECT id, status FROM message
         WHERE tenant_id = :tenant AND (completed_at IS NULL OR status IN
               ('QUEUED', 'SCHEDULED', 'SENDING', 'SENT'))
    """,
    "every funded message was held in full, once": """
        SELECT m.id, count(e.id), sum(e.units) FROM message m
          LEFT JOIN ledger_entry e ON e.tenant_id = m.tenant_id AND e.message_id = m.id
                                  AND e.kind = 'HOLD'
         WHERE m.tenant_id = :tenant AND m.funded
         GROUP BY m.id, m.units HAVING count(e.id) <> 1 OR sum(e.units) <> m.units
    """,
    "nothing is booked for what is not funded": """
        SELECT m.id, e.kind, e.units FROM message m JOIN ledger_entry e
               ON e.tenant_id = m.tenant_id AND e.message_id = m.id
         WHERE m.tenant_id = :tenant AND NOT m.funded
    """,
    "captured and released are what was held, from the same pots": """
        SELECT m.id FROM message m JOIN ledger_entry e
               ON e.tenant_id = m.tenant_id AND e.message_id = m.id
         WHERE m.tenant_id = :tenant
         GROUP BY m.id
        HAVING sum(e.units * CASE kind WHEN 'HOLD' THEN -1 ELSE 1 END) <> 0
            OR sum(e.credit_units * CASE kind WHEN 'HOLD' THEN -1 ELSE 1 END) <> 0
    """,
    "what is billed is what was captured": """
        SELECT m.id, m.billed_units FROM message m
         WHERE m.tenant_id = :tenant AND m.funded AND m.billed_units <> COALESCE(
               (SELECT sum(e.units) FROM ledger_entry e WHERE e.tenant_id = m.tenant_id
                   AND e.message_id = m.id AND e.kind = 'CAPTURE'), 0)
    """,
    "credits are the sum of their entries, and nothing is held": """
        SELECT ca.channel, ca.available, ca.held FROM credit_account ca
         WHERE ca.tenant_id = :tenant AND (ca.held <> 0 OR ca.available <> COALESCE(
               (SELECT sum(CASE kind WHEN 'HOLD' THEN -credit_units WHEN 'CAPTURE' THEN 0
                                     WHEN 'REFUND' THEN -credit_units ELSE credit_units END)
                  FROM ledger_entry e WHERE e.tenant_id = ca.tenant_id
                   AND e.merchant_id = ca.merchant_id AND e.channel = ca.channel), 0))
    """,
    "the month is the sum of its entries, within its limit, and nothing is held": """
        SELECT am.month, am.used, am.held, am.credits_used
          FROM allowance_month am JOIN merchant m
               ON m.tenant_id = am.tenant_id AND m.id = am.merchant_id,
               LATERAL (SELECT COALESCE(sum(units - credit_units), 0) AS used,
                               COALESCE(sum(credit_units), 0) AS credits
                          FROM ledger_entry e
                         WHERE e.tenant_id = am.tenant_id AND e.merchant_id = am.merchant_id
                           AND e.channel = am.channel AND e.month = am.month
                           AND e.kind = 'CAPTURE') captured
         WHERE am.tenant_id = :tenant
           AND (am.held <> 0 OR am.used <> captured.used OR am.credits_used <> captured.credits
                OR am.used > CASE am.channel WHEN 'SMS' THEN m.sms_limit
                                             WHEN 'VOICE' THEN m.voice_minutes_limit
                                             WHEN 'EMAIL' THEN m.email_limit END)
    """,
    "the running balance of credits is gapless": """
        SELECT id, kind, balance, expected
          FROM (SELECT id, kind, balance,
                       sum(CASE kind WHEN 'HOLD' THEN -credit_units WHEN 'CAPTURE' THEN 0
                                     ELSE credit_units END)
                       OVER (PARTITION BY merchant_id, channel ORDER BY id) AS expected
                  FROM ledger_entry WHERE tenant_id = :tenant) running
         WHERE balance <> expected AND (SELECT count(*) FROM ledger_entry
               WHERE tenant_id = :tenant AND credit_units > 0) > 0
    """,
    "day totals are the sum of their records": """
        SELECT COALESCE(d.day, r.day), d.messages, d.units, r.messages, r.units
          FROM (SELECT * FROM usage_day WHERE tenant_id = :tenant) d
          FULL JOIN (SELECT day, merchant_id, channel, count(*) AS messages, sum(units) AS units
                       FROM usage_record WHERE tenant_id = :tenant
                      GROUP BY day, merchant_id, channel) r
               USING (day, merchant_id, channel)
         WHERE COALESCE(d.messages, 0) <> COALESCE(r.messages, 0)
            OR COALESCE(d.units, 0) <> COALESCE(r.units, 0)
    """,
    "day amounts are the sum of their records and of what was posted to them": """
        SELECT COALESCE(d.day, r.day), d.cost, r.cost, d.fees, r.fees, d.markup, r.markup
          FROM (SELECT day, merchant_id, channel, aws_cost + provider_cost AS cost,
                       carrier_fees AS fees, markup
                  FROM usage_day WHERE tenant_id = :tenant) d
          FULL JOIN (SELECT day, merchant_id, channel, sum(cost + carrier_fee) AS cost,
                            sum(carrier_fee) AS fees, sum(markup) AS markup
                       FROM (SELECT day, merchant_id, channel, cost, carrier_fee, markup
                               FROM usage_record WHERE tenant_id = :tenant
                              UNION ALL
                             SELECT day, merchant_id, channel, cost, carrier_fee, markup
                               FROM usage_correction WHERE tenant_id = :tenant) part
                      GROUP BY day, merchant_id, channel) r
               USING (day, merchant_id, channel)
         WHERE COALESCE(d.cost, 0) <> COALESCE(r.cost, 0)
            OR COALESCE(d.fees, 0) <> COALESCE(r.fees, 0)
            OR COALESCE(d.markup, 0) <> COALESCE(r.markup, 0)
    """,
    "day outcomes are those of the messages that a provider took": """
        SELECT COALESCE(d.day, r.day), d.delivered, r.delivered, d.failed, r.failed
          FROM (SELECT * FROM usage_day WHERE tenant_id = :tenant) d
          FULL JOIN (SELECT COALESCE(CAST(m.corrected_at AT TIME ZONE 'UTC' AS date), u.day) AS day,
                            u.merchant_id, u.channel,
                            count(*) FILTER (WHERE m.status = 'DELIVERED') AS delivered,
                            count(*) FILTER (WHERE m.status IN ('UNDELIVERED', 'FAILED')) AS failed
                       FROM usage_record u
                       JOIN message m ON m.tenant_id = u.tenant_id AND m.id = u.message_id
                      WHERE u.tenant_id = :tenant GROUP BY 1, 2, 3) r
               USING (day, merchant_id, channel)
         WHERE COALESCE(d.delivered, 0) <> COALESCE(r.delivered, 0)
            OR COALESCE(d.failed, 0) <> COALESCE(r.failed, 0)
    """,
    "what is FINAL names nothing that is missing, and what is not does": """
        SELECT message_id, state, gap FROM usage_record
         WHERE tenant_id = :tenant AND ((state = 'FINAL') <> (gap IS NULL)
               OR (gap = 'RATE_MISSING' AND carrier_fee + markup <> 0))
    """,
    **_laws_of_attempts("FALSE"),
    "every report is in its message": """
        SELECT id, message_id, status FROM receipt
         WHERE tenant_id = :tenant AND applied_at IS NULL
    """,
    **MONEY_LAWS,
}
"""One query per invariant; each returns the violations."""

LAWS_OF_LATE_REPORTS: Final = {**LAWS, **_laws_of_attempts(_TOLD)}
"""The same where reports may come after the horizon: the answer of such an attempt stays lost."""


async def violations(integrator: Integrator) -> list[str]:
    """Return every violation as text; only for a tenant without open messages."""
    found = await broken_laws(integrator.harness.rows, integrator.owner.tenant_id)
    return found + await _copies(integrator)


async def broken_laws(
    ask: Callable[..., Awaitable[list[Any]]], tenant: int, laws: Mapping[str, str] = LAWS
) -> list[str]:
    """Return which invariants the database violates, and by which rows."""
    return [
        f"{law}: {rows}"
        for law, question in laws.items()
        if (rows := await ask(question, tenant=tenant))
    ]


async def _copies(integrator: Integrator) -> list[str]:
    """Compare the delivered copies with the statuses."""
    tenant = integrator.owner.tenant_id
    [(named,)] = await integrator.harness.rows(
        "SELECT public_id FROM tenant WHERE id = :tenant", tenant=tenant
    )
    copies: Counter[int] = Counter()
    for copy in await integrator.harness.deliveries():
        reference = parse_reference(copy["reference"])
        assert reference is not None, copy
        if reference.tenant == named:
            copies[reference.message] += 1
    messages: list[Any] = await integrator.harness.rows(
        "SELECT public_id, status FROM message WHERE tenant_id = :tenant", tenant=tenant
    )
    return [
        f"message {message} is {status} with {copies[message]} copies"
        for message, status in messages
        if status in TERMINAL and copies[message] not in ARRIVED[MessageStatus(status)]
    ]
