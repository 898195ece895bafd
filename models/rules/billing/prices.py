"""Compares a purchase of credits with the price list. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.enums import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A number of units and their price in the smallest unit of the currency."""

    units: int
    amount_cents: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a purchase does not match the price list."""

    detail: str
    errors: tuple[tuple[str, str], ...] = ()
    """Pairs of field and message."""


def refusal(
    channel: Channel, wanted: Offer, offers: Sequence[Offer], near: Sequence[Offer]
) -> Refusal | None:
    """Return why a purchase does not match the price list; None if it matches an offer.

    `offers` are those of the wanted units, one per currency. `near` are other offers of the
    channel; they are read only if there is none of the wanted units.
    """
    if wanted in offers:
        return None
    if not offers and not near:
        return Refusal(detail=f"There is no price list for {channel} credits here.")
    if not offers:
        packs = ", ".join(f"{one.units} for {_told(one)}" for one in near)
        return Refusal(
            detail=f"{wanted.units} {channel} units are not in the price list. Near: {packs}.",
            errors=(("units", "is no number of units in the price list"),),
        )
    told = " or ".join(_told(one) for one in offers)
    right = next((one for one in offers if one.currency == wanted.currency), None)
    if right is None:
        return Refusal(
            detail=f"{wanted.units} {channel} units are not sold in {wanted.currency}, but for"
            f" {told}.",
            errors=(("currency", f"must be {' or '.join(one.currency for one in offers)}"),),
        )
    return Refusal(
        detail=f"{wanted.units} {channel} units cost {told}.",
        errors=(("amountCents", f"must be {right.amount_cents}"),),
    )


def _told(offer: Offer) -> str:
    return f"amountCents {offer.amount_cents} {offer.currency}"
