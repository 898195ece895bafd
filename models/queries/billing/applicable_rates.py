"""SQL that selects the rate cards that may price a message."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from models.rules.billing.pricing import Card

CARDS: Final = """
    unnest(ARRAY[wanted.tenant_id, 0]) AS whose (tenant_id),
    unnest(ARRAY[wanted.country, '']) AS place (country),
    LATERAL (
        (SELECT * FROM rate
          WHERE rate.tenant_id = whose.tenant_id AND rate.channel = wanted.channel
            AND rate.provider = wanted.provider AND rate.country = place.country
            AND rate.valid_from <= wanted.accepted_at
          ORDER BY rate.valid_from DESC LIMIT 1)
        UNION ALL
        (SELECT * FROM rate
          WHERE rate.tenant_id = whose.tenant_id AND rate.channel = wanted.channel
            AND rate.provider = wanted.provider AND rate.country = place.country
            AND rate.valid_from > wanted.accepted_at AND rate.valid_from <= wanted.now
          ORDER BY rate.valid_from LIMIT 1)
    ) card
"""
"""SQL to join to a row `wanted` (tenant_id, channel, provider, country, accepted_at, now): of each
matching line, the version in force at acceptance and the first one in force since then.
"""

AS_JSON: Final = """
    json_agg(json_build_array(card.tenant_id, card.provider, card.country, card.valid_from,
                              CAST(card.unit_cost AS text), CAST(card.carrier_fee AS text),
                              card.markup_basis_points, CAST(card.markup_flat AS text)))
"""
"""SQL of their list as JSON, for `read_cards`; amounts are text, to stay exact."""


def read_cards(found: Sequence[Sequence[Any]] | None) -> tuple[Card, ...]:
    """Return the cards of such a list."""
    return tuple(
        Card(
            tenant_id=tenant_id,
            provider=provider,
            country=country,
            valid_from=datetime.fromisoformat(valid_from),
            unit_cost=Decimal(unit_cost),
            carrier_fee=Decimal(carrier_fee),
            markup_basis_points=basis_points,
            markup_flat=Decimal(flat),
        )
        for (
            tenant_id,
            provider,
            country,
            valid_from,
            unit_cost,
            carrier_fee,
            basis_points,
            flat,
        ) in found or ()
    )
