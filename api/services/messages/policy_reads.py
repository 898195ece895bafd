"""Reads what the checks of sends need besides the policy, each fact once."""

from collections.abc import Collection

from models.enums import Channel
from models.queries.billing.rate_cards import has_rate
from models.queries.consent import send_policy
from models.queries.consent.send_policy import TenantAddresses
from models.queries.senders.candidates import AccountSenders
from models.queries.senders.chosen_sender import NO_SENDER, ChosenSender, find_senders
from models.session import ReadSession


class PolicyReads:
    """Facts about one send, or about several of one merchant on one channel.

    What depends on the contact is read for all contacts at once.
    """

    def __init__(
        self,
        db: ReadSession,
        *,
        tenant_id: int,
        merchant: str | None,
        channel: Channel,
        contact_keys: Collection[str],
    ) -> None:
        self._db = db
        self._tenant_id = tenant_id
        self._merchant = merchant
        self._channel = channel
        self._contact_keys = contact_keys
        self._addresses: dict[str | None, TenantAddresses] = {}
        self._rates: dict[tuple[str, str], bool] = {}
        self._numbers: dict[str, dict[str, ChosenSender]] = {}

    async def addresses(self, wanted: str | None) -> TenantAddresses:
        """Return the tenant's sender addresses; if one is wanted, only that, or none."""
        if wanted not in self._addresses:
            self._addresses[wanted] = await send_policy.find_addresses(
                self._db, tenant_id=self._tenant_id, wanted=wanted
            )
        return self._addresses[wanted]

    async def has_rate(self, provider: str, country: str) -> bool:
        """Return whether a card in force covers a destination."""
        line = provider, country
        if line not in self._rates:
            self._rates[line] = await has_rate(
                self._db,
                tenant_id=self._tenant_id,
                channel=self._channel,
                provider=provider,
                country=country,
            )
        return self._rates[line]

    async def owned_number(self, owned: AccountSenders, contact_key: str) -> str | None:
        """Return the number of one account that the merchant sends to a contact from."""
        assert self._merchant is not None
        if owned.account not in self._numbers:
            self._numbers[owned.account] = await find_senders(
                self._db,
                tenant_id=self._tenant_id,
                merchant=self._merchant,
                channel=self._channel,
                keys=self._contact_keys,
                owned=owned,
            )
        return self._numbers[owned.account].get(contact_key, NO_SENDER).number
