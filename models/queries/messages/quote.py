"""Reads the facts for the price and the funding of a send at this moment."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.enums import Channel
from models.queries.billing.allowances import LIMIT
from models.queries.billing.applicable_rates import AS_JSON, CARDS, read_cards
from models.rules.billing.pricing import Card
from models.session import ReadSession


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteFacts:
    """Facts that a quote is computed from."""

    cards: tuple[Card, ...]
    """Of the provider that would be used; empty if there is none."""
    available: int
    """Remaining units of the month's allowance and of credits."""


_FACTS = text(
    f"""
    SELECT (SELECT {AS_JSON}
              FROM (SELECT CAST(:tenant_id AS bigint) AS tenant_id,
                           CAST(:provider AS text) AS provider,
                           CAST(:channel AS text) AS channel, CAST(:country AS text) AS country,
                           CAST(:now AS timestamptz) AS accepted_at,
                           CAST(:now AS timestamptz) AS now) wanted, {CARDS}) AS cards,
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
)


async def read_quote_facts(
    db: ReadSession,
    *,
    tenant_id: int,
    merchant: str,
    channel: Channel,
    country: str,
    month: str,
    provider: str | None,
    now: datetime,
) -> QuoteFacts:
    """Return the facts; `provider` is the vendor that would be used, None if there is none."""
    row = (
        await db.execute(
            _FACTS,
            {
                "tenant_id": tenant_id,
                "merchant": merchant,
                "channel": channel,
                "country": country,
                "month": month,
                "provider": provider,
                "now": now,
            },
        )
    ).one()
    return QuoteFacts(cards=read_cards(row.cards), available=row.available)
