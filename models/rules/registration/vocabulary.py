"""Enums of 10DLC registration: states, and the value lists of The Campaign Registry."""

from enum import StrEnum
from typing import Final


class RegistrationState(StrEnum):
    """Status of a brand or a campaign."""

    DRAFT = "DRAFT"
    """Not submitted yet."""
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    """With reasons; it may be corrected and submitted again."""


class NumberState(StrEnum):
    """Status of a number of a merchant."""

    REQUESTED = "REQUESTED"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"
    """The purchase failed."""
    RELEASING = "RELEASING"
    RELEASED = "RELEASED"
    RELEASE_FAILED = "RELEASE_FAILED"
    """It still belongs to the merchant; the release may be requested again."""


class AssignmentState(StrEnum):
    """Status of the assignment of a number to a campaign."""

    PENDING = "PENDING"
    ASSIGNED = "ASSIGNED"
    FAILED = "FAILED"
    UNASSIGNING = "UNASSIGNING"
    UNASSIGNED = "UNASSIGNED"
    UNASSIGN_FAILED = "UNASSIGN_FAILED"


class RegistrationKind(StrEnum):
    """Kind of the row that a registration works on."""

    BRAND = "brand"
    CAMPAIGN = "campaign"
    NUMBER = "number"


class RegistrationOperation(StrEnum):
    """Operation at the registry; a row has at most one at a time."""

    REGISTER_BRAND = "REGISTER_BRAND"
    REGISTER_CAMPAIGN = "REGISTER_CAMPAIGN"
    BUY = "BUY"
    ASSIGN = "ASSIGN"
    UNASSIGN = "UNASSIGN"
    RELEASE = "RELEASE"


class RegistryStatus(StrEnum):
    """Progress of an operation at the registry."""

    PENDING = "PENDING"
    DONE = "DONE"
    """Approved, bought, assigned, unassigned or released."""
    REJECTED = "REJECTED"


class NumberType(StrEnum):
    """Kind of phone number. Only LOCAL numbers are assigned to 10DLC campaigns."""

    LOCAL = "LOCAL"
    TOLL_FREE = "TOLL_FREE"


class EntityType(StrEnum):
    """Legal form of a business."""

    PRIVATE_PROFIT = "PRIVATE_PROFIT"
    PUBLIC_PROFIT = "PUBLIC_PROFIT"
    NON_PROFIT = "NON_PROFIT"
    GOVERNMENT = "GOVERNMENT"
    SOLE_PROPRIETOR = "SOLE_PROPRIETOR"


class AltBusinessIdType(StrEnum):
    """Kind of an alternative business identifier."""

    DUNS = "DUNS"
    GIIN = "GIIN"
    LEI = "LEI"


class Vertical(StrEnum):
    """Industry of a business."""

    AGRICULTURE = "AGRICULTURE"
    COMMUNICATION = "COMMUNICATION"
    CONSTRUCTION = "CONSTRUCTION"
    EDUCATION = "EDUCATION"
    ENERGY = "ENERGY"
    ENTERTAINMENT = "ENTERTAINMENT"
    FINANCIAL = "FINANCIAL"
    GAMBLING = "GAMBLING"
    GOVERNMENT = "GOVERNMENT"
    HEALTHCARE = "HEALTHCARE"
    HOSPITALITY = "HOSPITALITY"
    HUMAN_RESOURCES = "HUMAN_RESOURCES"
    INSURANCE = "INSURANCE"
    LEGAL = "LEGAL"
    MANUFACTURING = "MANUFACTURING"
    NGO = "NGO"
    POLITICAL = "POLITICAL"
    POSTAL = "POSTAL"
    PROFESSIONAL = "PROFESSIONAL"
    REAL_ESTATE = "REAL_ESTATE"
    RETAIL = "RETAIL"
    TECHNOLOGY = "TECHNOLOGY"
    TRANSPORTATION = "TRANSPORTATION"


class UseCase(StrEnum):
    """Use case of a campaign."""

    TWO_FACTOR = "2FA"
    ACCOUNT_NOTIFICATION = "ACCOUNT_NOTIFICATION"
    AGENTS_FRANCHISES = "AGENTS_FRANCHISES"
    CARRIER_EXEMPT = "CARRIER_EXEMPT"
    CHARITY = "CHARITY"
    CONVERSATIONAL = "CONVERSATIONAL"
    CUSTOMER_CARE = "CUSTOMER_CARE"
    DELIVERY_NOTIFICATION = "DELIVERY_NOTIFICATION"
    EMERGENCY = "EMERGENCY"
    FRAUD_ALERT = "FRAUD_ALERT"
    HIGHER_EDUCATION = "HIGHER_EDUCATION"
    K12_EDUCATION = "K12_EDUCATION"
    LOW_VOLUME = "LOW_VOLUME"
    M2M = "M2M"
    MARKETING = "MARKETING"
    MIXED = "MIXED"
    POLITICAL = "POLITICAL"
    POLLING_VOTING = "POLLING_VOTING"
    PROXY = "PROXY"
    PUBLIC_SAFETY_RESTRICTED = "PUBLIC_SAFETY_RESTRICTED"
    PUBLIC_SERVICE_ANNOUNCEMENT = "PUBLIC_SERVICE_ANNOUNCEMENT"
    SECURITY_ALERT = "SECURITY_ALERT"
    SOCIAL = "SOCIAL"
    SOLE_PROPRIETOR = "SOLE_PROPRIETOR"
    SWEEPSTAKE = "SWEEPSTAKE"
    TRIAL = "TRIAL"
    UCAAS_HIGH = "UCAAS_HIGH"
    UCAAS_LOW = "UCAAS_LOW"


OWNED: Final = frozenset({NumberState.ACTIVE, NumberState.RELEASING, NumberState.RELEASE_FAILED})
"""The number belongs to the merchant, and costs money."""

TAKEN: Final = OWNED | {NumberState.REQUESTED}
"""No other merchant of the tenant may request the number."""
