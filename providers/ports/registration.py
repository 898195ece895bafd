"""The port of a 10DLC registry, and the closed set of its answers.

A registry registers brands and campaigns, sells numbers, and assigns them to campaigns. Each such
request is an operation. An adapter is stateless and performs an operation in three steps:

1. `submit` makes at most **one** call that changes something at the vendor. Where the vendor needs
   several (bundles, then a registration), each is one `submit`: the adapter answers
   `MoreCallsNeeded` with its state, which is stored with the row and passed to the next `submit`.
2. After an ambiguous answer, `look_up` determines by our reference whether that call happened.
   `submit` is called again only if `look_up` answers NotFound after the call's deadline and the
   adapter's absence window. So the reference (or a name derived from it) must be part of every
   call that changes something: it is unique per operation.
3. From then on `look_up` returns the operation's status, until it is DONE or REJECTED.

An adapter never retries, and never raises for a business outcome.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from models.rules.registration.profiles import BrandProfile, CampaignProfile
from models.rules.registration.vocabulary import NumberType, RegistryStatus
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered, Webhook

VendorState: TypeAlias = Mapping[str, Any]
"""The adapter's own state, as JSON: stored with the row and passed with every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCall:
    """Common fields of all requests. Numbers and profiles are excluded from repr."""

    reference: str
    """Unique per operation: the vendor's idempotency key, or the friendly name to find it by."""
    callback_url: str
    """Webhook URL. A webhook only ends a wait early, so a vendor without webhooks works too."""
    not_after: datetime
    """The call's deadline: no byte of a call that changes something is written after it."""
    vendor_id: str | None = None
    """The vendor's id, once an `OperationStatus` had one. Of a corrected brand or campaign it is
    that of the rejected registration: a vendor that supports it amends it instead of creating
    another one.
    """
    vendor_state: VendorState = field(default_factory=dict, repr=False)
    taken: bool = False
    """The vendor has accepted the operation: `look_up` may use `vendor_id`."""


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
    """Remove an assignment. DONE as well if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest(RegistryCall):
    """Release a bought number (`vendor_id`). DONE as well if it is not ours any more."""

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
    """A reason of a rejection, for display next to a form field.

    `code` is the registry's own; `field` is the contract's name of a field (ein, legalName, samples
    …), or None if no single field is the cause. `message` must contain no personal data.
    """

    code: str
    field: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationStatus:
    """The vendor has the operation, with this status.

    A refusal on submit is REJECTED, possibly without an id. None for `vendor_id` or `vendor_state`
    keeps the stored value.
    """

    status: RegistryStatus
    vendor_id: str | None = None
    vendor_state: VendorState | None = field(default=None, repr=False)
    reasons: tuple[Reason, ...] = ()
    segments_per_second: Decimal | None = None
    """Of an approved campaign: the combined limit of all its numbers, if reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreCallsNeeded:
    """One of several calls is done; store the state and call `submit` again.

    While the vendor is processing in between, the answer is `OperationStatus` PENDING.
    """

    vendor_state: VendorState = field(repr=False)


SubmitAnswer: TypeAlias = OperationStatus | MoreCallsNeeded | NotProcessed | Ambiguous
LookUpAnswer: TypeAlias = OperationStatus | MoreCallsNeeded | NotFound | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableNumber:
    """A number on sale."""

    number: str
    type: NumberType
    locality: str | None = None
    region: str | None = None
    """State, two letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOffers:
    """The numbers on sale, possibly none."""

    numbers: tuple[AvailableNumber, ...]


SearchAnswer: TypeAlias = NumberOffers | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEvent:
    """A verified webhook: the status of an operation may have changed. It only ends a wait."""

    reference: str


VerifyRegistrations: TypeAlias = Callable[[Webhook], Awaitable[Sequence[RegistryEvent]]]
"""Verifies a webhook and reads its events; none if it holds none of interest. Raises as
VerifyReports of messages.
"""


class Registry(Protocol):
    """A vendor that registers brands and campaigns and has numbers."""

    @property
    def name(self) -> str:
        """The vendor's name in rows."""
        ...

    @property
    def account(self) -> str:
        """The account's name: brands and numbers are specific to one account."""
        ...

    @property
    def timeout(self) -> timedelta:
        """Timeout of one call."""
        ...

    @property
    def absence_window(self) -> timedelta:
        """How long after a call's deadline NotFound proves absence."""
        ...

    async def submit(self, request: RegistryRequest) -> SubmitAnswer:
        """Make the next call of an operation; never writes after its deadline."""
        ...

    async def look_up(self, request: RegistryRequest) -> LookUpAnswer:
        """Return an operation's status, by the vendor's id if it is accepted, else by reference."""
        ...

    async def search_numbers(
        self, *, area_code: str | None, type: NumberType, limit: int
    ) -> SearchAnswer:
        """List numbers on sale."""
        ...
