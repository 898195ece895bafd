"""Builds the registry requests of registration operations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from models.rules.registration.profiles import BrandProfile, CampaignProfile, RegistryRequestFacts
from models.rules.registration.vocabulary import RegistrationOperation
from providers.ports.registration import (
    AssignmentRequest,
    BrandRequest,
    CampaignRequest,
    PurchaseRequest,
    RegistryRequest,
    ReleaseRequest,
    UnassignmentRequest,
)


def registry_request(
    registry_operation: RegistrationOperation,
    facts: RegistryRequestFacts,
    *,
    reference: str,
    callback_url: str,
    not_after: datetime,
) -> RegistryRequest:
    """Build the request of an operation from the fields of its row."""
    common: dict[str, Any] = {
        "reference": reference,
        "callback_url": callback_url,
        "not_after": not_after,
        "vendor_id": facts.vendor_id,
        "vendor_state": facts.vendor_state,
        "taken": facts.taken,
    }
    match registry_operation:
        case RegistrationOperation.REGISTER_BRAND:
            return BrandRequest(**common, profile=BrandProfile(**_known(facts.profile)))
        case RegistrationOperation.REGISTER_CAMPAIGN:
            return CampaignRequest(
                **common,
                profile=CampaignProfile(**_known(facts.profile)),
                brand_vendor_id=_told(facts.parent_vendor_id),
            )
        case RegistrationOperation.BUY:
            assert facts.type is not None
            return PurchaseRequest(**common, number=_told(facts.number), type=facts.type)
        case RegistrationOperation.ASSIGN | RegistrationOperation.UNASSIGN:
            kind = (
                AssignmentRequest
                if registry_operation is RegistrationOperation.ASSIGN
                else UnassignmentRequest
            )
            return kind(
                **common,
                number=_told(facts.number),
                campaign_vendor_id=_told(facts.parent_vendor_id),
                campaign_vendor_state=facts.parent_vendor_state,
            )
        case RegistrationOperation.RELEASE:
            return ReleaseRequest(**common, number=_told(facts.number))
        case _:
            assert_never(registry_operation)


def _known(profile: Mapping[str, Any] | None) -> Mapping[str, Any]:
    assert profile is not None
    return profile


def _told(word: str | None) -> str:
    """Return a value that every approved or bought row has."""
    assert word is not None
    return word
