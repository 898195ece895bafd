"""Reads the facts for the price and the funding of a send at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from models.enums import Channel, DeliveryMode
from models.queries.billing.allowances import LIMIT
from models.queries.billing.applicable_rates import AS_JSON, CARDS, read_cards
from models.rules.billing.pricing import Card
from models.session import ReadSession


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteFacts:
    """Facts that a quote is computed from."""

    cards: tuple[Card, ...]
    """Of the provider that would be used first; empty if there is none."""
    available: int
    """Remaining units of the month's allowance and of credits."""


_FACTS = text(
    f"""
    WITH asked AS (
        SELECT :carriers ->> tenant.delivery_mode AS provider
          FROM tenant WHERE tenant.id = :tenant_id
    )
    SELECT (SELECT {AS_JSON}
              FROM (SELECT CAST(:tenant_id AS bigint) AS tenant_id, provider,
                           CAST(:channel AS text) AS channel, CAST(:country AS text) AS country,
                           CAST(:now AS timestamptz) AS accepted_at,
                           CAST(:now AS timestamptz) AS now
                      FROM asked WHERE provider IS NOT NULL) wanted, {CARDS}) AS cards,
           COALESCE((SELECT GREATEST({LIMIT} - COALESCE(am.used + am.held, 0), 0)
                       FROM merchant m
                       LEFT JOIN allowance_month am
                              ON am.tenant_id = m.tenant_id AND am.merchant_id = m.id
                             AND am.channel = :channel AND am.month = :month
                      WHERE m.tenant_id = :tenant_id AND m.external_id = :merchant), 0)
           + COALESCE((SELECT ca.available
                         FROM merchant m
                         JOIN credit_account ca ON ca.tenant_id = m.tenant_id
                                               AND ca.merchant_id = m.id
                                               AND ca.channel = :channel
                        WHERE m.tenant_id = :tenant_id AND m.external_id = :merchant), 0)
           AS available
    """  # noqa: S608 - every value is a parameter
).bindparams(bindparam("carriers", type_=JSONB))


async def read_quote_facts(
    db: ReadSession,
    *,
    tenant_id: int,
    merchant: str,
    channel: Channel,
    country: str,
    month: str,
    carriers: Mapping[DeliveryMode, str],
    now: datetime,
) -> QuoteFacts:
    """Return the facts; `carriers` is the first provider of this channel, by delivery mode."""
    row = (
        await db.execute(
            _FACTS,
            {
                "tenant_id": tenant_id,
                "merchant": merchant,
                "channel": channel,
                "country": country,
                "month": month,
                "carriers": dict(carriers),
                "now": now,
            },
        )
    ).one()
    return QuoteFacts(cards=read_cards(row.cards), available=row.available)
