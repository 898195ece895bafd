"""Registering a brand at Twilio: two bundles in the Trust Hub, then the registration itself.

| Twilio's brand status | stands |
|---|---|
| PENDING, IN_REVIEW | PENDING |
| APPROVED | DONE |
| FAILED, SUSPENDED, DELETION_PENDING, DELETION_FAILED | REJECTED, with its errors or feedback |

A bundle that is draft, pending-review or in-review leaves the brand PENDING, a rejected one rejects
it. A corrected brand keeps its bundles and its registration: they are amended, never made twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from models.rules.registration_profiles import BrandProfile
from models.rules.registration_words import EntityType, Standing
from providers.ports import NotFound
from providers.registration_ports import Advanced, BrandRequest, Stands
from providers.twilio.businesses import business, messaging_profile, missing, owner, person
from providers.twilio.client import Twilio, text
from providers.twilio.progress import (
    Done,
    Outcome,
    Progress,
    Step,
    advance,
    complete,
    seek,
)
from providers.twilio.reasons import of_errors
from providers.twilio.trusthub import (
    PRODUCTS,
    PROFILES,
    Assign,
    AwaitReview,
    Describe,
    Evaluate,
    HandIn,
    Locate,
    MakeBundle,
)

BRAND: Final = "brand"

_STANDINGS: Final[dict[str, Standing]] = {
    "PENDING": Standing.PENDING,
    "IN_REVIEW": Standing.PENDING,
    "APPROVED": Standing.DONE,
    "FAILED": Standing.REJECTED,
    "SUSPENDED": Standing.REJECTED,
    "DELETION_PENDING": Standing.REJECTED,
    "DELETION_FAILED": Standing.REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Which of Twilio's policies a brand is registered under; they are the same for everybody."""

    profile_policy: str
    product_policy: str
    brand_type: str


_STANDARD: Final = Path(
    profile_policy="RNdfbf3fae0e1107f8aded0e7cead80bf5",
    product_policy="RNb0d4771c2c98518d916a3d4cd70a8f8b",
    brand_type="STANDARD",
)
_SOLE: Final = Path(
    profile_policy="RN806dd6cd175f314e1f96a9727ee271f4",
    product_policy="RN670d5d2e282a6130ae063b234b6019c8",
    brand_type="SOLE_PROPRIETOR",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The operator of this installation, as Twilio knows it."""

    primary_profile: str
    """Its own approved customer profile (BU…): every merchant's names it."""
    email: str
    """Where Twilio writes to about bundles."""


async def submit(twilio: Twilio, office: Office, request: BrandRequest) -> Stands | Advanced:
    """Take the next step of a registration."""
    lacking = missing(request.profile)
    if lacking:
        return Stands(standing=Standing.REJECTED, reasons=lacking)
    return await advance(request, _steps(twilio, office, request), last=BRAND)


async def look_up(
    twilio: Twilio, office: Office, request: BrandRequest
) -> Stands | Advanced | NotFound:
    """Say whether the last step was taken, or how the registration stands."""
    steps = _steps(twilio, office, request)
    if not (request.taken and complete(request, steps)):
        return await seek(request, steps, last=BRAND)
    found = await _registered(twilio, Progress.of(request).sids[BRAND])
    return NotFound() if found is None else _stands(found)


def _stands(brand: dict[str, Any]) -> Stands:
    standing = _STANDINGS.get(str(brand.get("status")), Standing.PENDING)
    rejected = standing is Standing.REJECTED
    return Stands(
        standing=standing,
        vendor_id=text(brand, "sid"),
        reasons=of_errors(brand) if rejected else (),
    )


async def _registered(twilio: Twilio, sid: str) -> dict[str, Any] | None:
    return await twilio.find(twilio.messaging(f"a2p/BrandRegistrations/{sid}"))


def _steps(twilio: Twilio, office: Office, request: BrandRequest) -> Sequence[Step]:
    """Return the steps of a registration in their order; what they are named is stored."""
    profile = request.profile
    sole = profile.entity_type is EntityType.SOLE_PROPRIETOR
    path = _SOLE if sole else _STANDARD
    return (
        MakeBundle(
            twilio=twilio,
            name="profile",
            kind=PROFILES,
            policy=path.profile_policy,
            email=office.email,
        ),
        *_who(twilio, profile, sole=sole),
        Locate(twilio=twilio, name="address", address=_address(profile)),
        Describe(
            twilio=twilio,
            name="document",
            resource="SupportingDocuments",
            type="customer_profile_address",
            attributes=lambda progress: {"address_sids": progress.sids["address"]},
            lasting=True,
        ),
        *(_in_profile(twilio, item) for item in _items(sole)),
        Assign(
            twilio=twilio,
            kind=PROFILES,
            bundle="profile",
            item=lambda _: office.primary_profile,
            item_name="primary",
        ),
        Evaluate(twilio=twilio, kind=PROFILES, bundle="profile", policy=path.profile_policy),
        HandIn(twilio=twilio, kind=PROFILES, bundle="profile"),
        *_product(twilio, office, path, profile, sole=sole),
        AwaitReview(twilio=twilio, kind=PROFILES, bundle="profile"),
        AwaitReview(twilio=twilio, kind=PRODUCTS, bundle="product"),
        Register(twilio=twilio, type=path.brand_type, rejected=request.vendor_id),
    )


def _items(sole: bool) -> tuple[str, ...]:
    return ("person", "document") if sole else ("business", "person", "document")


def _who(twilio: Twilio, profile: BrandProfile, *, sole: bool) -> Sequence[Step]:
    """Return the steps that say who the business is and who speaks for it."""
    speaks = Describe(
        twilio=twilio,
        name="person",
        resource="EndUsers",
        type="starter_customer_profile_information" if sole else "authorized_representative_1",
        attributes=lambda _: person(profile, sole=sole),
    )
    if sole:
        return (speaks,)
    return (
        Describe(
            twilio=twilio,
            name="business",
            resource="EndUsers",
            type="customer_profile_business_information",
            attributes=lambda _: business(profile),
        ),
        speaks,
    )


def _product(
    twilio: Twilio, office: Office, path: Path, profile: BrandProfile, *, sole: bool
) -> Sequence[Step]:
    """Return the steps of the trust product, which names the customer profile."""
    return (
        MakeBundle(
            twilio=twilio,
            name="product",
            kind=PRODUCTS,
            policy=path.product_policy,
            email=office.email,
        ),
        Describe(
            twilio=twilio,
            name="messaging",
            resource="EndUsers",
            type="sole_proprietor_information" if sole else "us_a2p_messaging_profile_information",
            attributes=lambda _: owner(profile) if sole else messaging_profile(profile),
        ),
        *(
            Assign(
                twilio=twilio,
                kind=PRODUCTS,
                bundle="product",
                item=_made(item),
                item_name=item,
            )
            for item in ("messaging", "profile")
        ),
        Evaluate(twilio=twilio, kind=PRODUCTS, bundle="product", policy=path.product_policy),
        HandIn(twilio=twilio, kind=PRODUCTS, bundle="product"),
    )


def _in_profile(twilio: Twilio, item: str) -> Step:
    return Assign(twilio=twilio, kind=PROFILES, bundle="profile", item=_made(item), item_name=item)


def _made(item: str) -> Any:
    return lambda progress: progress.sids[item]


def _address(profile: BrandProfile) -> dict[str, str]:
    return {
        "CustomerName": profile.legal_name or profile.display_name,
        "Street": profile.street,
        "City": profile.city,
        "Region": profile.state,
        "PostalCode": profile.postal_code,
        "IsoCountry": profile.country,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Register the brand, which costs a fee, or hand the rejected registration in again."""

    twilio: Twilio
    type: str
    rejected: str | None
    """Twilio's id of a rejected registration of the same row."""

    @property
    def name(self) -> str:
        return BRAND

    async def take(self, progress: Progress, not_after: datetime) -> Outcome:
        url = self.twilio.messaging("a2p/BrandRegistrations")
        if self.rejected is not None:
            await self.twilio.create(f"{url}/{self.rejected}", {}, not_after=not_after)
            return Done(sid=self.rejected)
        form = {
            "CustomerProfileBundleSid": progress.sids["profile"],
            "A2PProfileBundleSid": progress.sids["product"],
            "BrandType": self.type,
        }
        made = await self.twilio.create(url, form, not_after=not_after)
        return Done(sid=text(made, "sid"))

    async def seek(self, progress: Progress) -> Outcome | None:
        if self.rejected is not None:
            found = await _registered(self.twilio, self.rejected)
            failed = found is None or _stands(found).standing is Standing.REJECTED
            return None if failed else Done(sid=self.rejected)
        url = self.twilio.messaging("a2p/BrandRegistrations")
        async for brand in self.twilio.every(url, "data"):
            if brand.get("a2p_profile_bundle_sid") == progress.sids["product"]:
                return Done(sid=text(brand, "sid"))
        return None
