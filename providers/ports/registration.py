"""What a 10DLC registry's adapter looks like from inside, and the closed set of its answers.

A registry registers brands and campaigns, sells numbers, and assigns them to campaigns. Each such
request is an errand. An adapter does one errand in three moves, and keeps nothing itself:

1. `submit` makes at most **one** call that changes something at the vendor. Where the vendor wants
   several (bundles, then a registration), each is a turn: the adapter answers `Advanced` with what
   must be remembered, it is stored with the row, and `submit` is asked again with it.
2. After an ambiguous answer, `look_up` says by our reference whether that one call happened. Only
   when it says NotFound, after the call's deadline and the adapter's window, `submit` is asked
   again. So the reference (or a name that is made of it) must travel in every call that changes
   something: it is unique per errand, for ever.
3. From then on `look_up` says where the errand stands, until it is DONE or REJECTED.

An adapter never retries, and never raises for a business outcome.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from models.rules.registration.profiles import BrandProfile, CampaignProfile
from models.rules.registration.vocabulary import NumberType, RegistryStatus
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered

VendorState: TypeAlias = Mapping[str, Any]
"""What only the adapter understands, as JSON: stored with the row, handed back with every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCall:
    """What every request to a registry carries. Numbers and profiles are in no repr."""

    reference: str
    """Ours, unique per errand: the vendor's idempotency key, or the friendly name to find it by."""
    callback_url: str
    """Where news may be posted; it only wakes us, so a vendor that has none loses nothing."""
    not_after: datetime
    """The call's deadline: no byte of a call that changes something is written after it."""
    vendor_id: str | None = None
    """The vendor's id of the row, once `Stands` told one. Of a corrected brand or campaign it is
    that of the rejected registration: a vendor that can amends it, and makes no second one."""
    vendor_state: VendorState = field(default_factory=dict, repr=False)
    taken: bool = False
    """The vendor surely has the errand: `look_up` may ask by `vendor_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandRequest(RegistryCall):
    """Register a brand."""

    profile: BrandProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRequest(RegistryCall):
    """Register a campaign under an approved brand."""

    profile: CampaignProfile
    brand_vendor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRequest(RegistryCall):
    """Buy this number."""

    number: str = field(repr=False)
    type: NumberType


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentRequest(RegistryCall):
    """Let a bought number (`vendor_id`, `vendor_state`) send for an approved campaign."""

    number: str = field(repr=False)
    campaign_vendor_id: str
    campaign_vendor_state: VendorState = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignmentRequest(AssignmentRequest):
    """Take that back. DONE as well if it was not assigned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest(RegistryCall):
    """Give a bought number (`vendor_id`) back. DONE as well if it is no longer ours."""

    number: str = field(repr=False)


RegistryRequest: TypeAlias = (
    BrandRequest
    | CampaignRequest
    | PurchaseRequest
    | AssignmentRequest
    | UnassignmentRequest
    | ReleaseRequest
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something was rejected, so that a form can show it.

    `code` is the registry's own; `field` the contract's name of a field (ein, legalName,
    samples …), or None where no single one is at fault. `message` must hold nothing private.
    """

    code: str
    field: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """The vendor has the errand, and this is how far it is.

    A refusal when submitting is this too: REJECTED, perhaps without an id. None for `vendor_id` or
    `vendor_state` leaves what is stored.
    """

    standing: RegistryStatus
    vendor_id: str | None = None
    vendor_state: VendorState | None = field(default=None, repr=False)
    reasons: tuple[Reason, ...] = ()
    segments_per_second: Decimal | None = None
    """Of an approved campaign, what all its numbers together may send, if the registry tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """One call of several is done and must be remembered; `submit` is to be asked again.

    Also when something had to be waited for in between: until then the errand `Stands` PENDING.
    """

    vendor_state: VendorState = field(repr=False)


SubmitAnswer: TypeAlias = Stands | Advanced | NotProcessed | Ambiguous
LookUpAnswer: TypeAlias = Stands | Advanced | NotFound | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableNumber:
    """A number that can be bought now."""

    number: str
    type: NumberType
    locality: str | None = None
    region: str | None = None
    """State, two letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What can be bought, perhaps nothing."""

    numbers: tuple[AvailableNumber, ...]


SearchAnswer: TypeAlias = Offered | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryNews:
    """A verified webhook: something changed for the errand of this reference. It only wakes."""

    reference: str


class Registry(Protocol):
    """A vendor that registers brands and campaigns and has numbers."""

    @property
    def name(self) -> str:
        """The word for it in rows; brands and numbers at one are unknown to another."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The budget of one call."""
        ...

    @property
    def absence_window(self) -> timedelta:
        """How long after a call's deadline NotFound is sure."""
        ...

    async def submit(self, request: RegistryRequest) -> SubmitAnswer:
        """Make the next call of an errand; never writes after its deadline."""
        ...

    async def look_up(self, request: RegistryRequest) -> LookUpAnswer:
        """Say where an errand stands, by the vendor's id if it is taken, else by our reference."""
        ...

    async def search_numbers(
        self, *, area_code: str | None, type: NumberType, limit: int
    ) -> SearchAnswer:
        """List numbers that can be bought now."""
        ...
