"""Refuses a send to a country that is not allowed, or for which there is no price."""

from api.http.auth import Caller
from api.services.messages.drafts import Draft
from models.enums import DeliveryMode
from models.errors import DestinationNotAllowed, NoRate
from models.queries.billing.rate_cards import has_rate
from models.rules.billing.pricing import country_of
from models.session import ReadSession


def check_countries(caller: Caller, draft: Draft) -> None:
    """Raise DestinationNotAllowed if the tenant may not send to a recipient's country."""
    if not all(caller.countries.allow(draft.channel, contact) for contact in draft.to):
        raise DestinationNotAllowed


async def check_rate(db: ReadSession, caller: Caller, draft: Draft, provider: str | None) -> None:
    """Raise NoRate if no rate card covers a LIVE send with the vendor it is routed to.

    Without a vendor nothing is sent, and the message ends with NO_PROVIDER.
    """
    if caller.countries.mode is not DeliveryMode.LIVE or provider is None:
        return
    if not await has_rate(
        db,
        tenant_id=caller.tenant_id,
        channel=draft.channel,
        provider=provider,
        country=country_of(draft.channel, draft.to[0]),
    ):
        raise NoRate
