"""Quotes a send: the checks of a send and its price, without writing anything."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from api.http.auth import Caller
from api.schemas.quotes import (
    V1EmailQuoteRequest,
    V1MessageQuoteResponse,
    V1SmsQuoteRequest,
    V1VoiceQuoteRequest,
)
from api.services.messages.drafts import Draft, email_draft, sms_draft, voice_draft
from api.services.messages.new_messages import due_at
from api.services.messages.permission import Permissions
from api.services.messages.routed_senders import RoutedSenders
from models.enums import Channel, MessageType, UnpricedReason
from models.errors import ChannelNotAllowed, InsufficientCredits, PolicyForbids
from models.queries.consent import send_policy
from models.queries.messages.quote import QuoteFacts, read_quote_facts
from models.rules.billing.periods import month_of
from models.rules.billing.pricing import choose, country_of, price
from models.rules.messages.segments import segment
from models.session import Database

Order = V1SmsQuoteRequest | V1VoiceQuoteRequest | V1EmailQuoteRequest


class Quoting:
    """Computes the units and price of a send, and whether it would be accepted now."""

    def __init__(
        self,
        database: Database,
        permissions: Permissions,
        senders: RoutedSenders,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._permissions = permissions
        self._senders = senders
        self._clock = clock

    async def quote(self, caller: Caller, order: Order) -> V1MessageQuoteResponse:
        """Quote one send.

        Errors of the request itself and an unknown merchant are raised as for a send. Refusals by
        policy or funds are returned as `reason`.
        """
        now = self._clock()
        draft, refused = _read(order)
        try:
            permission = await self._permissions.obtain(caller, draft, due_at(draft.send_at, now))
            provider = permission.provider
        except PolicyForbids as error:  # 403 precedes 402, as for a send
            refused = refused or error.code
            provider = None
        facts = await self._facts(caller, draft, provider, now)
        if refused is None and draft.units > facts.available:
            refused = InsufficientCredits.code
        return _view(draft, facts, refused, now)

    async def _facts(
        self, caller: Caller, draft: Draft, provider: str | None, now: datetime
    ) -> QuoteFacts:
        """Return the facts; without a provider those of the first account that is routed."""
        async with self._database.read() as db:
            if provider is None:
                found = await send_policy.find_addresses(
                    db, tenant_id=caller.tenant_id, wanted=None
                )
                routed = self._senders.routed(
                    draft, found.tenant, found.delivery_mode, found.disabled
                )
                provider = routed[0].name if routed else None
            return await read_quote_facts(
                db,
                tenant_id=caller.tenant_id,
                merchant=draft.merchant or "",
                channel=draft.channel,
                country=country_of(draft.channel, draft.to[0]),
                month=month_of(now),
                provider=provider,
                now=now,
            )


def _read(order: Order) -> tuple[Draft, str | None]:
    """Return the draft, and the code of the refusal of its type on its channel."""
    match order:
        case V1SmsQuoteRequest():
            return sms_draft(order), None
        case V1EmailQuoteRequest():
            return email_draft(order), None
        case V1VoiceQuoteRequest():
            try:
                return voice_draft(order), None
            except ChannelNotAllowed as error:
                permitted = order.model_copy(update={"type": MessageType.TRANSACTIONAL})
                return voice_draft(permitted), error.code
        case _:
            assert_never(order)


def _view(
    draft: Draft, facts: QuoteFacts, refused: str | None, now: datetime
) -> V1MessageQuoteResponse:
    quoted = price(draft.units, choose(facts.cards, now), told=None, awaited=False)
    known = quoted.gap is None
    return V1MessageQuoteResponse(
        channel=draft.channel,
        units=draft.units,
        encoding=segment(draft.body).encoding if draft.channel is Channel.SMS else None,
        provider_cost=quoted.cost if known else None,
        carrier_fee=quoted.carrier_fee if known else None,
        markup=quoted.markup if known else None,
        total=quoted.total if known else None,
        currency="USD",
        price_gap=None if known else UnpricedReason.RATE_MISSING,
        allowed=refused is None,
        reason=refused,
    )
