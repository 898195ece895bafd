"""The routing table: which accounts a message may be sent with, in order of preference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from models.enums import Channel, DeliveryMode, MessageType
from models.rules.billing.pricing import ANYWHERE, country_of


class RouteRow(Protocol):
    """A row: accounts for the messages that match; an unset field matches any value."""

    @property
    def tenant(self) -> str | None: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def country(self) -> str | None: ...
    @property
    def type(self) -> MessageType | None: ...
    @property
    def accounts(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteKey:
    """What the route of a message depends on."""

    tenant: str
    """Name of the tenant."""
    channel: Channel
    country: str
    """ISO 3166-1 code of the recipient's country; empty for an e-mail, or if unknown."""
    type: MessageType

    @classmethod
    def of(
        cls, mode: DeliveryMode, tenant: str, channel: Channel, contact: str, type: MessageType
    ) -> "RouteKey":
        """Return what the route of a message to a contact depends on.

        In SIMULATOR mode no route depends on the country, and finding it takes longer than all
        other steps of a routing together: it is empty.
        """
        country = country_of(channel, contact) if mode is DeliveryMode.LIVE else ANYWHERE
        return cls(tenant=tenant, channel=channel, country=country, type=type)


class RoutingTable:
    """Finds the one row that applies to a message.

    Of the rows that match, those that name the tenant win; of these, those that name the country;
    of these, the one that names the type. So a row for a tenant wins over one for a country and a
    type. Fields in the file have no other order, and the order of rows does not matter: two rows
    can't name the same fields with the same values.
    """

    def __init__(self, rows: Iterable[RouteRow] = ()) -> None:
        """Raises ValueError if two rows match exactly the same messages."""
        self._rows: dict[
            tuple[Channel, str | None, str | None, MessageType | None], Sequence[str]
        ] = {}
        for row in rows:
            key = (row.channel, row.tenant, row.country, row.type)
            if key in self._rows:
                named = ", ".join(str(part) for part in key if part is not None)
                raise ValueError(f"two routes are for the same messages: {named}")
            self._rows[key] = row.accounts

    def accounts(self, wanted: RouteKey) -> Sequence[str] | None:
        """Return the names of the accounts, preferred ones first; None if no row matches."""
        # `product` varies the last part fastest: type before country before tenant.
        named = product((wanted.tenant, None), (wanted.country, None), (wanted.type, None))
        for tenant, country, message_type in named:
            accounts = self._rows.get((wanted.channel, tenant, country, message_type))
            if accounts is not None:
                return accounts
        return None
