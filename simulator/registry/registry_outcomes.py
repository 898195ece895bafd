"""The 10DLC rows of the outcome table: the legal name determines the decision."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from simulator.messages.vocabulary import Code


class Collection(StrEnum):
    """Collections of the registry, as in its paths."""

    BRANDS = "brands"
    CAMPAIGNS = "campaigns"
    NUMBERS = "numbers"
    ASSIGNMENTS = "assignments"
    UNASSIGNMENTS = "unassignments"
    RELEASES = "releases"


class Status(StrEnum):
    """Status of a request."""

    PENDING = "pending"
    DONE = "done"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a request, this many seconds after it was accepted."""

    seconds: float
    reasons: tuple[dict[str, Any], ...] = ()


_SLOW_SECONDS = 20.0
_SECONDS = {
    Collection.BRANDS: 2.0,
    Collection.CAMPAIGNS: 2.0,
    Collection.ASSIGNMENTS: 1.0,
    Collection.UNASSIGNMENTS: 1.0,
}

_BRAND_REASONS = (
    {
        "code": str(int(Code.TAX_ID_MISMATCH)),
        "field": "ein",
        "message": "The EIN does not belong to this legal name.",
    },
    {
        "code": str(int(Code.WEBSITE_UNREACHABLE)),
        "field": "website",
        "message": "The website cannot be reached or does not name the business.",
    },
)
_CAMPAIGN_REASONS = (
    {
        "code": str(int(Code.OPT_IN_UNCLEAR)),
        "field": "messageFlow",
        "message": "The message flow does not show how recipients opt in.",
    },
)


def decision_of(collection: Collection, legal_name: str) -> Decision:
    """Return the outcome of a request, by the legal name of its brand."""
    seconds = _SECONDS.get(collection, 0.0)
    if seconds and "SLOW" in legal_name:
        seconds = _SLOW_SECONDS
    # CREJECT contains REJECT but only rejects campaigns.
    if collection is Collection.BRANDS and "REJECT" in legal_name.replace("CREJECT", ""):
        return Decision(seconds, _BRAND_REASONS)
    if collection is Collection.CAMPAIGNS and "CREJECT" in legal_name:
        return Decision(seconds, _CAMPAIGN_REASONS)
    return Decision(seconds)
