"""Keeps the claims of a chunk within the daily spending limits of their account and tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activities.messages import spending_guard
from activities.messages.batches.plain_claims import ChunkClaim
from models.queries.accounts import spending_of_several
from models.queries.accounts.spending_of_several import Affordable
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class AffordableClaims:
    """Claims that the limits allow, and what is to be reserved for them."""

    claims: Sequence[ChunkClaim]
    refused: Sequence[ChunkClaim]
    """A limit forbids them now, or nothing tells their price and there is a limit."""
    affordable: Affordable | None
    """None if nothing is to be reserved."""


async def choose(
    db: WriteSession, claims: Sequence[ChunkClaim], tenant_id: int, now: datetime
) -> AffordableClaims:
    """Return which claims of one account the limits allow; call it before they are written."""
    if not any(claim.claimed.found.guarded for claim in claims):
        return AffordableClaims(claims=claims, refused=[], affordable=None)
    affordable = await spending_of_several.choose_affordable(
        db,
        [
            spending_guard.attempt_of(claim.claimed, tenant_id, claim.message_id, now)
            for claim in claims
        ],
    )
    allowed = {attempt.message_id for attempt in affordable.attempts}
    return AffordableClaims(
        claims=[claim for claim in claims if claim.message_id in allowed],
        refused=[claim for claim in claims if claim.message_id not in allowed],
        affordable=affordable,
    )


async def reserve(db: WriteSession, chosen: AffordableClaims) -> None:
    """Reserve what the claims cost; call it last in the transaction that writes them."""
    affordable = chosen.affordable
    if affordable is None or affordable.reservation is None:
        return
    await spending_of_several.reserve_several(db, affordable)
    first = affordable.attempts[0]
    await spending_guard.tell_crossed(db, first, affordable.reservation)
