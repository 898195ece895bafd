"""Refuses a send to a country that is not allowed, or for which there is no price."""

from api.http.auth import Caller
from api.services.messages.drafts import Draft
from api.services.messages.policy_reads import PolicyReads
from models.enums import DeliveryMode
from models.errors import DestinationNotAllowed, NoRate
from models.rules.billing.pricing import country_of


def check_countries(caller: Caller, draft: Draft) -> None:
    """Raise DestinationNotAllowed if the tenant may not send to a recipient's country."""
    if not all(caller.countries.allow(draft.channel, contact) for contact in draft.to):
        raise DestinationNotAllowed


async def check_rate(
    reads: PolicyReads, caller: Caller, draft: Draft, provider: str | None
) -> None:
    """Raise NoRate if no rate card covers a LIVE send with the vendor it is routed to.

    Without a vendor nothing is sent, and the message ends with NO_PROVIDER.
    """
    if caller.countries.mode is not DeliveryMode.LIVE or provider is None:
        return
    if not await reads.has_rate(provider, country_of(draft.channel, draft.to[0])):
        raise NoRate
