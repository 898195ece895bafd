"""Decides whether a tenant's texts and calls may go to a recipient's country. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from phonenumbers import SUPPORTED_REGIONS

from models.enums import Channel, DeliveryMode
from models.rules.billing.pricing import country_of
from models.rules.senders.north_america import (
    US_TERRITORIES,
    area_code_of,
    has_place,
    is_us,
    region_of,
)

HOME: Final = "US"
"""Country of a tenant that names none."""

_US: Final = "US"

ANY: Final = "*"
"""Stands for every country, also for numbers without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedCountries:
    """Where a tenant's texts and calls may go; e-mail has no country."""

    mode: DeliveryMode = DeliveryMode.SIMULATOR
    country: str = HOME
    """The tenant's own, ISO 3166."""
    chosen: Collection[str] | None = None
    """Chosen by an operator. None: in LIVE mode its own country, else anywhere."""

    def allow(self, channel: Channel, contact: str) -> bool:
        """Return whether a message may go to a contact."""
        if channel is Channel.EMAIL:
            return True
        allowed = self.chosen
        if allowed is None:
            allowed = (ANY,) if self.mode is DeliveryMode.SIMULATOR else (self.country,)
        return ANY in allowed or _destination_of(contact) in {_main(country) for country in allowed}


def read_country(given: str) -> str:
    """Return a country as ISO 3166 writes it; raises ValueError if no phone number is there."""
    code = given.strip().upper()
    if code not in SUPPORTED_REGIONS:
        raise ValueError(f"{given!r} is no country of ISO 3166 with phone numbers, such as US.")
    return code


def _destination_of(number: str) -> str:
    """Return the country of a number; empty if it has none or it is unknown.

    A North American number has the country of its area code, because new exchanges are unknown for
    months; without a place it has none, because such numbers can cost much.
    """
    area_code = area_code_of(number)
    if area_code is None:
        return _main(country_of(Channel.SMS, number))
    if not has_place(number):
        return ""
    return _US if is_us(area_code) else region_of(area_code)


def _main(country: str) -> str:
    """Return the country that a territory belongs to: territories of the US count as US."""
    return _US if country in US_TERRITORIES else country
