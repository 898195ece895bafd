"""Maps a brand profile to Twilio's description of a business.

Twilio requires a legal form where The Campaign Registry requires an entity type. It is read from
the legal name, which must state it by law; without one the business is a corporation.
"""

import re
from typing import Final

from models.rules.registration.profiles import BrandProfile
from models.rules.registration.vocabulary import EntityType, Vertical
from providers.ports.registration import Reason

_INDUSTRIES: Final[dict[Vertical, str]] = {
    Vertical.AGRICULTURE: "AGRICULTURE",
    Vertical.COMMUNICATION: "TELECOMMUNICATIONS",
    Vertical.CONSTRUCTION: "ENGINEERING",
    Vertical.EDUCATION: "EDUCATION",
    Vertical.ENERGY: "ENERGY",
    Vertical.ENTERTAINMENT: "MEDIA",
    Vertical.FINANCIAL: "FINANCIAL",
    Vertical.GAMBLING: "ONLINE",
    Vertical.GOVERNMENT: "GOVERNMENT",
    Vertical.HEALTHCARE: "HEALTHCARE",
    Vertical.HOSPITALITY: "HOSPITALITY",
    Vertical.HUMAN_RESOURCES: "CONSUMER",
    Vertical.INSURANCE: "INSURANCE",
    Vertical.LEGAL: "LEGAL",
    Vertical.MANUFACTURING: "MANUFACTURING",
    Vertical.NGO: "NOT_FOR_PROFIT",
    Vertical.POLITICAL: "NOT_FOR_PROFIT",
    Vertical.POSTAL: "TRANSPORTATION",
    Vertical.PROFESSIONAL: "CONSUMER",
    Vertical.REAL_ESTATE: "REAL_ESTATE",
    Vertical.RETAIL: "RETAIL",
    Vertical.TECHNOLOGY: "TECHNOLOGY",
    Vertical.TRANSPORTATION: "TRANSPORTATION",
}
"""The registry's verticals → Twilio's industries."""

_COMPANY_TYPES: Final[dict[EntityType, str]] = {
    EntityType.PRIVATE_PROFIT: "private",
    EntityType.PUBLIC_PROFIT: "public",
    EntityType.NON_PROFIT: "non_profit",
    EntityType.GOVERNMENT: "government",
}

_FORMS: Final = (
    (re.compile(r"\b(l\.?l\.?c|limited liability (company|corporation))\b", re.I), "LLC"),
    (re.compile(r"\b(l\.?l?\.?p|partnership|partners)\b", re.I), "Partnership"),
    (re.compile(r"\b(co-?op|co-?operative)\b", re.I), "Co-operative"),
)
_TITLE: Final = "Authorized representative"
_LONG_FORMS: Final = {"LLC": "Limited Liability Corporation"}

_NEEDED: Final = (
    ("first_name", "firstName", "Twilio wants to know who speaks for the business."),
    ("last_name", "lastName", "Twilio wants to know who speaks for the business."),
)
_NEEDED_OF_A_BUSINESS: Final = (
    ("website", "website", "Twilio wants the address of the business's website."),
    ("ein", "ein", "Twilio wants the tax number of the business."),
)


def missing(profile: BrandProfile) -> tuple[Reason, ...]:
    """Return a reason for each field that Twilio requires beyond the registry and the brand
    lacks.
    """
    sole = profile.entity_type is EntityType.SOLE_PROPRIETOR
    needed = _NEEDED if sole else (*_NEEDED, *_NEEDED_OF_A_BUSINESS)
    return tuple(
        Reason(code="MISSING", field=field, message=message)
        for name, field, message in needed
        if not getattr(profile, name)
    )


def business(profile: BrandProfile) -> dict[str, str]:
    """Return the business's attributes."""
    us = profile.country == "US"
    return {
        "business_name": profile.legal_name or profile.display_name,
        "business_identity": "direct_customer",
        "business_type": _form(profile),
        "business_industry": _industry(profile),
        "business_registration_identifier": "EIN" if us else "Other",
        "business_registration_number": profile.ein or "",
        "business_regions_of_operation": "USA_AND_CANADA",
        "website_url": profile.website or "",
        "social_media_profile_urls": "",
    }


def person(profile: BrandProfile, *, sole: bool) -> dict[str, str]:
    """Return the attributes of the authorized representative."""
    known = {
        "first_name": profile.first_name or "",
        "last_name": profile.last_name or "",
        "email": profile.email,
        "phone_number": profile.phone,
    }
    return known if sole else {**known, "business_title": _TITLE, "job_position": "Other"}


def messaging_profile(profile: BrandProfile) -> dict[str, str]:
    """Return the business's attributes as a sender."""
    described = {"company_type": _COMPANY_TYPES[profile.entity_type]}
    if profile.entity_type is EntityType.PUBLIC_PROFIT:
        described["stock_ticker"] = profile.stock_symbol or ""
        described["stock_exchange"] = profile.stock_exchange or ""
        described["brand_contact_email"] = profile.business_contact_email or profile.email
    return described


def owner(profile: BrandProfile) -> dict[str, str]:
    """Return a sole proprietor's attributes as a sender.

    The registry texts a code to the mobile number.
    """
    return {
        "brand_name": profile.display_name,
        "vertical": profile.vertical,
        "mobile_phone_number": profile.mobile_phone or profile.phone,
    }


def _form(profile: BrandProfile) -> str:
    if profile.entity_type in (EntityType.NON_PROFIT, EntityType.GOVERNMENT):
        return "Non-profit Corporation"
    name = profile.legal_name or ""
    form = next((form for pattern, form in _FORMS if pattern.search(name)), "Corporation")
    return _LONG_FORMS.get(form, form)


def _industry(profile: BrandProfile) -> str:
    if profile.entity_type is EntityType.GOVERNMENT:
        return "GOVERNMENT"
    if profile.entity_type is EntityType.NON_PROFIT:
        return "NOT_FOR_PROFIT"
    return _INDUSTRIES[profile.vertical]
