"""Computes the price of a message: cost, carrier fee and markup. Exact decimals of USD. Pure.

Amounts have six decimals. Unit prices have no more, so only a markup in basis points and a vendor's
own price need rounding; each is rounded once, half to even.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException

from models.enums import Channel, PriceSource, UnpricedReason, UsageState

DEFAULTS: Final = 0
"""Tenant id of the default rate cards."""

ANYWHERE: Final = ""
"""Country of a card that covers every country without a card of its own."""

NOTHING: Final = Decimal("0.000000")

_BASIS: Final = Decimal(10_000)
_AWS: Final = frozenset({"ses"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One version of one line of a rate card: the price of a unit from `valid_from` on."""

    tenant_id: int
    provider: str
    country: str
    valid_from: datetime
    unit_cost: Decimal
    carrier_fee: Decimal
    markup_basis_points: int
    markup_flat: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Price of a message. `cost` is the provider's, without carrier fees.

    `priced_by` is the source of the cost, also while the cost is not known yet.
    """

    cost: Decimal
    carrier_fee: Decimal
    markup: Decimal
    priced_by: PriceSource
    gap: UnpricedReason | None

    @property
    def state(self) -> UsageState:
        """FINAL if it may be billed."""
        return UsageState.FINAL if self.gap is None else UsageState.PROVISIONAL

    @property
    def total(self) -> Decimal:
        """Amount charged for the message."""
        return self.cost + self.carrier_fee + self.markup


def kept(amount: Decimal) -> Decimal:
    """Round an amount to six decimals, half to even."""
    return amount.quantize(NOTHING, rounding=ROUND_HALF_EVEN)


def choose(cards: Iterable[Card], accepted_at: datetime) -> Card | None:
    """Return the card that prices a message, among those of its channel, provider and country.

    A tenant's own card precedes a default one, then a card of the country precedes one for any
    country. Of its versions the newest that was in force at acceptance is used. If none was in
    force then, the first one that came into force afterwards is used.
    """
    known = list(cards)
    in_force = [card for card in known if card.valid_from <= accepted_at]
    if in_force:
        return max(in_force, key=lambda card: (_closeness(card), card.valid_from))
    return min(known, key=lambda c: (c.valid_from, _farness(c)), default=None)


def _closeness(card: Card) -> tuple[bool, bool]:
    return card.tenant_id != DEFAULTS, card.country != ANYWHERE


def _farness(card: Card) -> tuple[bool, bool]:
    return card.tenant_id == DEFAULTS, card.country == ANYWHERE


def price(units: int, card: Card | None, *, told: Decimal | None, awaited: bool) -> Price:
    """Return the price of units by a card or, if known, by the provider's own price.

    `told` is the provider's price of the whole message without carrier fees; it replaces unit cost
    × units. `awaited` means that it is still to come: until then the card's price is used.
    """
    source = PriceSource.CARD if told is None and not awaited else PriceSource.VENDOR
    if card is None:
        cost = NOTHING if told is None else kept(told)
        return Price(
            cost=cost,
            carrier_fee=NOTHING,
            markup=NOTHING,
            priced_by=source,
            gap=UnpricedReason.RATE_MISSING,
        )
    cost = kept(units * card.unit_cost if told is None else told)
    carrier_fee = kept(units * card.carrier_fee)
    share = kept((cost + carrier_fee) * card.markup_basis_points / _BASIS)
    return Price(
        cost=cost,
        carrier_fee=carrier_fee,
        markup=share + kept(units * card.markup_flat),
        priced_by=source,
        gap=UnpricedReason.VENDOR_PRICE if told is None and awaited else None,
    )


def country_of(channel: Channel, contact: str) -> str:
    """Return the ISO 3166 code of a recipient's country; empty for an e-mail, or if unknown.

    A number outside the known numbering plans has no country, whatever its prefix: +1 is also the
    Caribbean.
    """
    if channel is Channel.EMAIL:
        return ANYWHERE
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(contact, None))
    except NumberParseException:
        return ANYWHERE
    return region if region is not None and len(region) == 2 and region.isalpha() else ANYWHERE


def billed_by_aws(provider: str) -> bool:
    """Return whether AWS bills this provider; its cost reports show such providers separately."""
    return provider in _AWS or provider.startswith("aws")
