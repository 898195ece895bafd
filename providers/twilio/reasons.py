"""Converts Twilio's rejections to reasons for display in a form."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from providers.ports.registration import Reason
from providers.twilio.client import RequestRejected

_FIELDS: Final[dict[str, str]] = {
    # Names in a profile's evaluation and in a brand's feedback.
    "business_name": "legalName",
    "brand_name": "displayName",
    "business_type": "entityType",
    "company_type": "entityType",
    "business_industry": "vertical",
    "vertical": "vertical",
    "business_registration_number": "ein",
    "tax_id": "ein",
    "ein": "ein",
    "website_url": "website",
    "website": "website",
    "address_sids": "street",
    "street": "street",
    "city": "city",
    "region": "state",
    "postal_code": "postalCode",
    "iso_country": "country",
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "brand_contact_email": "businessContactEmail",
    "phone_number": "phone",
    "mobile_phone_number": "mobilePhone",
    "stock_symbol": "stockSymbol",
    "stock_ticker": "stockSymbol",
    "stock_exchange": "stockExchange",
    "nonprofit": "entityType",
    "government_entity": "entityType",
    # Names in a campaign's review.
    "use_case": "useCase",
    "us_app_to_person_usecase": "useCase",
    "use_case_description": "description",
    "description": "description",
    "campaign_description": "description",
    "message_flow": "messageFlow",
    "message_samples": "samples",
    "sample_messages": "samples",
    "opt_in_keywords": "optInKeywords",
    "opt_out_keywords": "optOutKeywords",
    "help_keywords": "helpKeywords",
    "opt_in_message": "optInMessage",
    "opt_out_message": "optOutMessage",
    "help_message": "helpMessage",
    "has_embedded_links": "embeddedLink",
    "has_embedded_phone": "embeddedPhone",
    "age_gated": "ageGated",
    "direct_lending": "directLending",
    "privacy_policy_url": "privacyPolicyUrl",
    "terms_and_conditions_url": "termsUrl",
}
"""Twilio's name of a field, in lower case → the contract's name."""

_FEEDBACK: Final[dict[str, str]] = {
    "TAX_ID": "The tax number does not match the records of the registry.",
    "STOCK_SYMBOL": "The stock symbol or exchange does not match the business.",
    "NONPROFIT": "The business is not known as a non-profit organisation.",
    "GOVERNMENT_ENTITY": "The business is not known as a government entity.",
    "OTHERS": "The registry could not verify the business.",
}

_CONTACT: Final = re.compile(r"\S+@\S+|\+?\d[\d ().-]{6,}\d")
_MOST: Final = 20
_CODE: Final = 32
_MESSAGE: Final = 500


def reason(code: object, field: object, message: object) -> Reason:
    """Return one reason; contacts in Twilio's message are redacted."""
    words = _CONTACT.sub("…", str(message or "")).strip()
    return Reason(
        code=str(code or "REJECTED")[:_CODE],
        field=_FIELDS.get(field.lower()) if isinstance(field, str) else None,
        message=(words or "Twilio gave no reason.")[:_MESSAGE],
    )


def of_refusal(refusal: RequestRejected, *, field: str | None = None) -> tuple[Reason, ...]:
    """Return the reason of a rejected request."""
    told = reason(refusal.code, None, refusal.message)
    return (Reason(code=told.code, field=field, message=told.message),)


def of_evaluation(evaluation: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Return the missing requirements of a bundle, from Twilio's evaluation of it."""
    return _some(
        reason(
            invalid.get("error_code"), invalid.get("object_field"), invalid.get("failure_reason")
        )
        for failed in _documents(evaluation.get("results"))
        if not failed.get("passed")
        for invalid in (*_documents(failed.get("invalid")), *_alone(failed))
    )


def of_errors(document: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Return the errors of a bundle, a brand or a campaign; for a brand, its feedback as well."""
    found = [
        reason(
            error.get("error_code") or error.get("code"),
            field,
            error.get("description") or error.get("message"),
        )
        for error in _documents(document.get("errors"))
        for field in (error.get("fields") or [None])
    ]
    if not found:
        found = [
            reason(word, word, _FEEDBACK.get(word))
            for word in document.get("brand_feedback") or ()
            if isinstance(word, str)
        ]
    if not found and document.get("failure_reason"):
        found = [reason("FAILED", None, document["failure_reason"])]
    return _some(found)


def _alone(failed: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return a failed requirement as its own reason, if it names no field."""
    return () if _documents(failed.get("invalid")) else (failed,)


def _documents(given: Any) -> list[Mapping[str, Any]]:
    if not isinstance(given, list):
        return []
    return [item for item in given if isinstance(item, dict)]


def _some(found: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the reasons without duplicates, and at least one."""
    return tuple(dict.fromkeys(found))[:_MOST] or (reason(None, None, None),)
