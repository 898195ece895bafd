"""Registers a brand at Twilio: two bundles in the Trust Hub, then the registration.

| Twilio's brand status | our status |
|---|---|
| PENDING, IN_REVIEW | PENDING |
| APPROVED | DONE |
| FAILED, SUSPENDED, DELETION_PENDING, DELETION_FAILED | REJECTED, with its errors or feedback |

A bundle that is draft, pending-review or in-review leaves the brand PENDING; a rejected one rejects
it. A corrected brand keeps its bundles and its registration: they are amended, never created twice.
One that changes between a business and a sole proprietor starts again on the other path, since
neither a bundle's policy nor a registration's type can be changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from models.rules.registration.profiles import BrandProfile
from models.rules.registration.vocabulary import EntityType, RegistryStatus
from providers.ports.messages import NotFound
from providers.ports.registration import BrandRequest, MoreCallsNeeded, OperationStatus
from providers.twilio.businesses import business, messaging_profile, missing, owner, person
from providers.twilio.client import Twilio, text
from providers.twilio.progress import (
    Done,
    Outcome,
    Progress,
    Step,
    advance,
    complete,
    look_up_step,
)
from providers.twilio.reasons import of_errors
from providers.twilio.trusthub import (
    DOCUMENTS,
    PRODUCTS,
    PROFILES,
    Assign,
    AwaitReview,
    CreateAddress,
    CreateBundle,
    Evaluate,
    SubmitBundle,
    UpdateAddress,
    WriteEntity,
)

_STATUSES: Final[dict[str, RegistryStatus]] = {
    "PENDING": RegistryStatus.PENDING,
    "IN_REVIEW": RegistryStatus.PENDING,
    "APPROVED": RegistryStatus.DONE,
    "FAILED": RegistryStatus.REJECTED,
    "SUSPENDED": RegistryStatus.REJECTED,
    "DELETION_PENDING": RegistryStatus.REJECTED,
    "DELETION_FAILED": RegistryStatus.REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The Twilio policies of one kind of brand; they are the same for all accounts.

    Objects of one path are never used on the other, so the names of its steps begin with its
    prefix.
    """

    profile_policy: str
    product_policy: str
    brand_type: str
    prefix: str = ""

    def step(self, name: str) -> str:
        """Return the stored name of a step of this path; it must never change."""
        return f"{self.prefix}{name}"

    @property
    def brand(self) -> str:
        """Name of the registration step."""
        return self.step("brand")


_STANDARD: Final = Path(
    profile_policy="RNdfbf3fae0e1107f8aded0e7cead80bf5",
    product_policy="RNb0d4771c2c98518d916a3d4cd70a8f8b",
    brand_type="STANDARD",
)
_SOLE: Final = Path(
    profile_policy="RN806dd6cd175f314e1f96a9727ee271f4",
    product_policy="RN670d5d2e282a6130ae063b234b6019c8",
    brand_type="SOLE_PROPRIETOR",
    prefix="sole ",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorProfile:
    """The operator of this installation at Twilio."""

    primary_profile: str
    """Its own approved customer profile (BU…), which every merchant's profile references."""
    email: str
    """Where Twilio sends e-mail about bundles."""
    inbound_url: str
    """Webhook URL of inbound texts to bought numbers."""


async def submit(
    twilio: Twilio, operator: OperatorProfile, request: BrandRequest
) -> OperationStatus | MoreCallsNeeded:
    """Run the next step of a registration."""
    lacking = missing(request.profile)
    if lacking:
        return OperationStatus(status=RegistryStatus.REJECTED, reasons=lacking)
    path = _path(request)
    return await advance(request, _steps(twilio, operator, path, request.profile), last=path.brand)


async def look_up(
    twilio: Twilio, operator: OperatorProfile, request: BrandRequest
) -> OperationStatus | MoreCallsNeeded | NotFound:
    """Return the outcome of the last step if its answer was lost, or the registration's status."""
    path = _path(request)
    steps = _steps(twilio, operator, path, request.profile)
    if not (request.taken and complete(request, steps)):
        return await look_up_step(request, steps, last=path.brand)
    found = await _registered(twilio, Progress.of(request).sids[path.brand])
    return NotFound() if found is None else _operation_status(found)


def _operation_status(brand: dict[str, Any]) -> OperationStatus:
    status = _STATUSES.get(str(brand.get("status")), RegistryStatus.PENDING)
    rejected = status is RegistryStatus.REJECTED
    return OperationStatus(
        status=status,
        vendor_id=text(brand, "sid"),
        reasons=of_errors(brand) if rejected else (),
    )


async def _registered(twilio: Twilio, sid: str) -> dict[str, Any] | None:
    return await twilio.find(twilio.messaging(f"a2p/BrandRegistrations/{sid}"))


def _path(request: BrandRequest) -> Path:
    sole = request.profile.entity_type is EntityType.SOLE_PROPRIETOR
    return _SOLE if sole else _STANDARD


def _steps(
    twilio: Twilio, operator: OperatorProfile, path: Path, profile: BrandProfile
) -> Sequence[Step]:
    """Return the steps of a registration in order; their names are stored."""
    bundle, product = path.step("profile"), path.step("product")
    address, document = f"address {profile.country}", path.step("document")
    who = _party_steps(twilio, path, profile)
    return (
        CreateBundle(
            twilio=twilio,
            name=bundle,
            kind=PROFILES,
            policy=path.profile_policy,
            email=operator.email,
        ),
        *who,
        CreateAddress(twilio=twilio, name=address, address=_address(profile)),
        WriteEntity(
            twilio=twilio,
            name=document,
            resource=DOCUMENTS,
            type="customer_profile_address",
            attributes=lambda progress: {"address_sids": progress.sids[address]},
            lasting=True,
        ),
        UpdateAddress(twilio=twilio, document=document, address=address),
        *(
            Assign(twilio=twilio, kind=PROFILES, bundle=bundle, item=_made(item), item_name=item)
            for item in (*(step.name for step in who), document)
        ),
        Assign(
            twilio=twilio,
            kind=PROFILES,
            bundle=bundle,
            item=lambda _: operator.primary_profile,
            item_name="primary",
        ),
        Evaluate(twilio=twilio, kind=PROFILES, bundle=bundle, policy=path.profile_policy),
        SubmitBundle(twilio=twilio, kind=PROFILES, bundle=bundle),
        *_product(twilio, operator, path, profile),
        AwaitReview(twilio=twilio, kind=PROFILES, bundle=bundle),
        AwaitReview(twilio=twilio, kind=PRODUCTS, bundle=product),
        RegisterBrandStep(twilio=twilio, path=path),
    )


def _party_steps(twilio: Twilio, path: Path, profile: BrandProfile) -> Sequence[Step]:
    """Return the steps that describe the business and its representative."""
    sole = path is _SOLE
    speaks = WriteEntity(
        twilio=twilio,
        name=path.step("person"),
        resource="EndUsers",
        type="starter_customer_profile_information" if sole else "authorized_representative_1",
        attributes=lambda _: person(profile, sole=sole),
    )
    if sole:
        return (speaks,)
    return (
        WriteEntity(
            twilio=twilio,
            name=path.step("business"),
            resource="EndUsers",
            type="customer_profile_business_information",
            attributes=lambda _: business(profile),
        ),
        speaks,
    )


def _product(
    twilio: Twilio, operator: OperatorProfile, path: Path, profile: BrandProfile
) -> Sequence[Step]:
    """Return the steps of the trust product, which references the customer profile."""
    sole = path is _SOLE
    product, messaging = path.step("product"), path.step("messaging")
    return (
        CreateBundle(
            twilio=twilio,
            name=product,
            kind=PRODUCTS,
            policy=path.product_policy,
            email=operator.email,
        ),
        WriteEntity(
            twilio=twilio,
            name=messaging,
            resource="EndUsers",
            type="sole_proprietor_information" if sole else "us_a2p_messaging_profile_information",
            attributes=lambda _: owner(profile) if sole else messaging_profile(profile),
        ),
        *(
            Assign(twilio=twilio, kind=PRODUCTS, bundle=product, item=_made(item), item_name=item)
            for item in (messaging, path.step("profile"))
        ),
        Evaluate(twilio=twilio, kind=PRODUCTS, bundle=product, policy=path.product_policy),
        SubmitBundle(twilio=twilio, kind=PRODUCTS, bundle=product),
    )


def _made(item: str) -> Any:
    return lambda progress: progress.sids[item]


def _address(profile: BrandProfile) -> dict[str, str]:
    return {
        "CustomerName": profile.legal_name or profile.display_name,
        "Street": profile.street,
        "City": profile.city,
        "Region": profile.state or "",
        "PostalCode": profile.postal_code or "",
        "IsoCountry": profile.country,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterBrandStep:
    """Register the brand, which costs a fee, or resubmit its rejected registration."""

    twilio: Twilio
    path: Path

    @property
    def name(self) -> str:
        return self.path.brand

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        url = self.twilio.messaging("a2p/BrandRegistrations")
        rejected = progress.sids.get(self.name)
        if rejected is not None:
            await self.twilio.create(f"{url}/{rejected}", {}, not_after=not_after)
            return Done()
        form = {
            "CustomerProfileBundleSid": progress.sids[self.path.step("profile")],
            "A2PProfileBundleSid": progress.sids[self.path.step("product")],
            "BrandType": self.path.brand_type,
        }
        made = await self.twilio.create(url, form, not_after=not_after)
        return Done(sid=text(made, "sid"))

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        rejected = progress.sids.get(self.name)
        if rejected is not None:
            found = await _registered(self.twilio, rejected)
            failed = found is None or _operation_status(found).status is RegistryStatus.REJECTED
            return None if failed else Done()
        product = progress.sids[self.path.step("product")]
        url = self.twilio.messaging("a2p/BrandRegistrations")
        async for brand in self.twilio.list_items(url, "data"):
            if brand.get("a2p_profile_bundle_sid") == product:
                return Done(sid=text(brand, "sid"))
        return None
