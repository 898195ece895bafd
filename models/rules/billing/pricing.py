"""What a message costs, and what is added to it. Exact decimals of USD; pure.

Amounts are kept to six decimals. Unit prices have no more than that, so only a markup in basis
points can need rounding, and a vendor's own figure: each is rounded once, half to even.
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
"""The tenant to whom the cards for everybody belong."""

ANYWHERE: Final = ""
"""The country of a card that covers every country without a card of its own."""

NOTHING: Final = Decimal("0.000000")

_BASIS: Final = Decimal(10_000)
_AWS: Final = frozenset({"ses"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a unit costs from a moment on: one version of one line of a rate card."""

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
    """What a message costs. `cost` is the provider's, carrier fees apart.

    `priced_by` says whose figure the cost is, or will be once the gap is closed.
    """

    cost: Decimal
    carrier_fee: Decimal
    markup: Decimal
    priced_by: PriceSource
    gap: UnpricedReason | None

    @property
    def state(self) -> UsageState:
        """Whether it may be billed."""
        return UsageState.FINAL if self.gap is None else UsageState.PROVISIONAL

    @property
    def total(self) -> Decimal:
        """What is charged for it."""
        return self.cost + self.carrier_fee + self.markup


def kept(amount: Decimal) -> Decimal:
    """Return an amount as it is kept: six decimals, half to even."""
    return amount.quantize(NOTHING, rounding=ROUND_HALF_EVEN)


def choose(cards: Iterable[Card], accepted_at: datetime) -> Card | None:
    """Return the card a message is priced by, among those of its channel, provider and country.

    A tenant's own card goes before a default one, then one for the country before one for any; of
    its versions the newest that was in force when the message was accepted. If nothing was in force
    then, it is the first that came into force since.
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
    """Return what units cost by a card and, where there is one, by the provider's own word.

    `told` is the provider's price of the whole message without what it passes on to carriers, and
    replaces unit cost × units. `awaited` says that it will come: until then the card's figure
    stands in for it.
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

    A number that the numbering plans do not know belongs to none, whatever it begins with: +1 is
    the Caribbean as well.
    """
    if channel is Channel.EMAIL:
        return ANYWHERE
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(contact, None))
    except NumberParseException:
        return ANYWHERE
    return region if region is not None and len(region) == 2 and region.isalpha() else ANYWHERE


def billed_by_aws(provider: str) -> bool:
    """Say whether a provider is one of AWS, whose cost reports tell apart."""
    return provider in _AWS or provider.startswith("aws")
