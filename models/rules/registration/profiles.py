"""Brand and campaign data that is sent to a registry. Names follow The Campaign Registry.

Contacts and tax numbers are excluded from repr, so that they are not logged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.rules.registration.vocabulary import (
    AltBusinessIdType,
    EntityType,
    NumberType,
    UseCase,
    Vertical,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandProfile:
    """Legal data of a business."""

    legal_name: str | None = field(repr=False)
    """None only for a sole proprietor."""
    display_name: str = field(repr=False)
    entity_type: EntityType
    vertical: Vertical
    ein: str | None = field(repr=False)
    """Tax number; nine digits in the US. None only for a sole proprietor."""
    phone: str = field(repr=False)
    """E.164."""
    email: str = field(repr=False)
    street: str = field(repr=False)
    city: str = field(repr=False)
    state: str | None = field(repr=False)
    postal_code: str | None = field(repr=False)
    """`state` and `postal_code` are None only in countries whose addresses do not require them."""
    country: str
    """ISO 3166-1 alpha-2."""
    website: str | None = field(default=None, repr=False)
    stock_symbol: str | None = None
    stock_exchange: str | None = None
    business_contact_email: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    mobile_phone: str | None = field(default=None, repr=False)
    alt_business_id: str | None = field(default=None, repr=False)
    alt_business_id_type: AltBusinessIdType | None = None

    def __post_init__(self) -> None:
        """Convert the strings of a stored profile to enums."""
        object.__setattr__(self, "entity_type", EntityType(self.entity_type))
        object.__setattr__(self, "vertical", Vertical(self.vertical))
        if self.alt_business_id_type is not None:
            object.__setattr__(
                self, "alt_business_id_type", AltBusinessIdType(self.alt_business_id_type)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignProfile:
    """Content, audience and opt-in of a campaign."""

    use_case: UseCase
    sub_use_cases: tuple[UseCase, ...] = ()
    description: str = field(repr=False)
    message_flow: str = field(repr=False)
    samples: tuple[str, ...] = field(repr=False)
    opt_in_keywords: tuple[str, ...] = ()
    opt_out_keywords: tuple[str, ...] = ()
    help_keywords: tuple[str, ...] = ()
    opt_in_message: str | None = field(default=None, repr=False)
    opt_out_message: str = field(repr=False)
    help_message: str = field(repr=False)
    embedded_link: bool = False
    embedded_phone: bool = False
    age_gated: bool = False
    direct_lending: bool = False
    number_pool: bool = False
    privacy_policy_url: str | None = None
    terms_url: str | None = None

    def __post_init__(self) -> None:
        """Convert the strings and lists of a stored profile to enums and tuples."""
        object.__setattr__(self, "use_case", UseCase(self.use_case))
        object.__setattr__(self, "sub_use_cases", tuple(map(UseCase, self.sub_use_cases)))
        for name in ("samples", "opt_in_keywords", "opt_out_keywords", "help_keywords"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRequestFacts:
    """Data of a row that its operation needs.

    `parent_*` belong to the parent: a campaign's brand, an assignment's campaign.
    """

    vendor_id: str | None
    vendor_state: Mapping[str, Any] = field(repr=False)
    taken: bool
    profile: Mapping[str, Any] | None = field(default=None, repr=False)
    number: str | None = field(default=None, repr=False)
    type: NumberType | None = None
    parent_vendor_id: str | None = None
    parent_vendor_state: Mapping[str, Any] = field(default_factory=dict, repr=False)
