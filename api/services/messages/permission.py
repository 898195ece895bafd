"""Checks whether a send is permitted: policy, consent, suppression, sender and hours."""

import asyncio
import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from api.http.auth import Caller
from api.services.messages.destination_checks import check_countries, check_rate
from api.services.messages.drafts import Draft
from api.services.messages.policy_reads import PolicyReads
from api.services.messages.routed_senders import UNOWNED, RoutedSender, RoutedSenders
from models.enums import Channel, ErrorCode, MessageType
from models.errors import (
    HexavoxError,
    MerchantNotFound,
    RecipientSuppressed,
    SenderNotRegistered,
    ValidationFailed,
)
from models.queries.consent import send_policy
from models.queries.consent.send_policy import SendPolicy
from models.queries.messages.destinations import Destination
from models.rules.consent.consent import consent_forbids
from models.rules.consent.contacts import merged_contact
from models.rules.consent.marketing_hours import MarketingHours, needs_daytime
from models.rules.consent.quiet_hours import NoSuchHour
from models.rules.messages.destination_limits import (
    contact_limits,
    prefix_limits,
    prefix_of,
)
from models.rules.messages.refusals import refusal
from models.session import Database, ReadSession

_UNREGISTERED = "None of the merchant's own numbers is assigned to an approved campaign yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A permitted send: its merchant, sender and earliest time."""

    merchant_id: int | None
    contact_keys: Sequence[str]
    """Of the recipients, in order."""
    sender: str = field(repr=False)
    provider: str | None
    """Vendor of the account that it would be sent with now; None if no account is routed."""
    due_at: datetime
    destinations: Sequence[Destination] = ()
    details: Mapping[str, str] = field(default_factory=dict)


class Permissions:
    """Checks a send against policy and consent; the dispatch checks again."""

    def __init__(
        self, database: Database, unsubscribe: "UnsubscribeLinks", senders: RoutedSenders
    ) -> None:
        self._database = database
        self._unsubscribe = unsubscribe
        self._senders = senders

    async def obtain(self, caller: Caller, draft: Draft, wanted_at: datetime) -> Permission:
        """Return the permission, or raise the refusal (403 and 404 of the contract)."""
        contact_keys = draft.contact_keys(self._database.contact_keys)
        if draft.merchant is None:
            return await self._for_tenant(caller, draft, contact_keys, wanted_at)
        if caller.merchant is not None and caller.merchant != draft.merchant:
            raise MerchantNotFound
        async with self._database.read() as db:
            found = await send_policy.find_policy(
                db,
                tenant_id=caller.tenant_id,
                merchant=draft.merchant,
                channel=draft.channel,
                contact_keys=contact_keys,
            )
            if found is None:
                raise MerchantNotFound
            reads = _reads(db, caller, draft, contact_keys[:1])
            return await self._checked(reads, caller, draft, found, contact_keys, wanted_at)

    async def obtain_each(
        self, caller: Caller, drafts: Sequence[Draft], wanted_at: Sequence[datetime]
    ) -> list[Permission | HexavoxError]:
        """Return for each send what `obtain` returns or raises, with few statements for all.

        The sends are of one merchant that the caller may see, on one channel, and have one
        recipient each.
        """
        results: list[Permission | HexavoxError] = []
        if not drafts:
            return results
        keys = []
        for draft in drafts:  # each takes a while here and below: other tasks run in between
            await asyncio.sleep(0)
            keys.append(draft.contact_keys(self._database.contact_keys))
        wanted = {contact_key for (contact_key,) in keys}
        async with self._database.read() as db:
            found = await send_policy.find_policies(
                db,
                tenant_id=caller.tenant_id,
                merchant=drafts[0].merchant or "",
                channel=drafts[0].channel,
                contact_keys=wanted,
            )
            reads = _reads(db, caller, drafts[0], wanted)
            for draft, contact_keys, at in zip(drafts, keys, wanted_at, strict=True):
                await asyncio.sleep(0)
                try:
                    policy = found[contact_keys[0]]
                    permission = await self._checked(reads, caller, draft, policy, contact_keys, at)
                except HexavoxError as error:
                    results.append(error)
                else:
                    results.append(permission)
        return results

    async def _checked(
        self,
        reads: PolicyReads,
        caller: Caller,
        draft: Draft,
        found: SendPolicy,
        contact_keys: Sequence[str],
        wanted_at: datetime,
    ) -> Permission:
        """Return the permission of a merchant's send by its policy, or raise the refusal."""
        _check_policy(found, draft.type)
        check_countries(caller, draft)
        if draft.channel is Channel.EMAIL:
            routed = await self._address(reads, draft)
        else:
            routed = await self._senders.number(reads, draft, found, contact_keys[0])
        await check_rate(reads, caller, draft, routed.provider)
        return Permission(
            merchant_id=found.merchant_id,
            contact_keys=contact_keys,
            sender=_sender(routed, _UNREGISTERED if found.unregistered else ""),
            provider=routed.provider,
            due_at=_in_daytime(found, draft, wanted_at),
            destinations=self._destinations(caller, found, draft, contact_keys[0]),
            details=self._links(caller, found.merchant_public_id, draft, contact_keys[0]),
        )

    async def _for_tenant(
        self, caller: Caller, draft: Draft, contact_keys: Sequence[str], wanted_at: datetime
    ) -> Permission:
        async with self._database.read() as db:
            if await send_policy.suppressed_anywhere(
                db,
                tenant_id=caller.tenant_id,
                channel=draft.channel,
                contact_keys=contact_keys,
            ):
                raise RecipientSuppressed
            reads = _reads(db, caller, draft, contact_keys)
            routed = await self._address(reads, draft)
            await check_rate(reads, caller, draft, routed.provider)
        return Permission(
            merchant_id=None,
            contact_keys=contact_keys,
            sender=_sender(routed, ""),
            provider=routed.provider,
            due_at=wanted_at,
        )

    async def _address(self, reads: PolicyReads, draft: Draft) -> RoutedSender:
        """Return the sender address of an e-mail; a requested one must be the tenant's."""
        found = await reads.addresses(draft.sender)
        if not found.addresses and draft.sender is not None:
            raise ValidationFailed(
                errors=(("from", "must be one of the tenant's addresses; ask the operator"),)
            )
        return self._senders.address(draft, found)

    def _destinations(
        self, caller: Caller, found: SendPolicy, draft: Draft, contact_key: str
    ) -> list[Destination]:
        """Return what the send is counted for, in the order in which their rows are locked."""
        counted = []
        if limits := contact_limits(found.limits, found.delivery_mode, draft.channel, draft.type):
            counted.append(
                Destination(
                    tenant_id=caller.tenant_id,
                    merchant_id=0,
                    destination_key=contact_key,
                    limits=limits,
                )
            )
        if limits := prefix_limits(found.limits, found.delivery_mode, draft.channel):
            prefix = prefix_of(merged_contact(draft.channel, draft.to[0]))
            counted.append(
                Destination(
                    tenant_id=caller.tenant_id,
                    merchant_id=found.merchant_id,
                    destination_key=self._database.contact_keys.fingerprint(f"prefix {prefix}"),
                    limits=limits,
                )
            )
        return counted

    def _links(
        self, caller: Caller, merchant: int, draft: Draft, contact_key: str
    ) -> dict[str, str]:
        if draft.channel is not Channel.EMAIL or draft.type is not MessageType.MARKETING:
            return {}
        link = self._unsubscribe.link(caller.tenant_public_id, merchant, contact_key)
        return {"unsubscribeUrl": link}


class UnsubscribeLinks:
    """Signed links that opt one address out of one merchant's e-mail.

    They contain the public ids of tenant and merchant.
    """

    def __init__(self, public_url: str, secret: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._secret = secret.encode()

    def link(self, tenant: int, merchant: int, contact_key: str) -> str:
        """Return the URL for an e-mail's List-Unsubscribe header (RFC 8058)."""
        token = self.token(tenant, merchant, contact_key)
        return f"{self._public_url}/unsubscribe/{tenant}-{merchant}-{contact_key}-{token}"

    def read(self, ticket: str) -> tuple[int, int, str] | None:
        """Return tenant, merchant and contact key of a valid ticket; None otherwise."""
        try:
            tenant, merchant, contact, token = ticket.split("-")
            signed = int(tenant), int(merchant), contact
        except ValueError:
            return None
        good = hmac.compare_digest(token.encode(), self.token(*signed).encode())
        return signed if good else None

    def token(self, tenant: int, merchant: int, contact_key: str) -> str:
        """Sign tenant, merchant and contact key."""
        text = f"unsubscribe\x1f{tenant}\x1f{merchant}\x1f{contact_key}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _reads(
    db: ReadSession, caller: Caller, draft: Draft, contact_keys: Collection[str]
) -> PolicyReads:
    return PolicyReads(
        db,
        tenant_id=caller.tenant_id,
        merchant=draft.merchant,
        channel=draft.channel,
        contact_keys=contact_keys,
    )


def _check_policy(found: SendPolicy, message_type: MessageType) -> None:
    """Raise the refusal if the merchant is inactive, or consent or a suppression forbids it."""
    if not found.active:
        raise refusal(ErrorCode.MERCHANT_INACTIVE)
    forbidden = consent_forbids(message_type, found.consent, suppressed=found.suppressed)
    if forbidden is not None:
        raise refusal(forbidden)


def _sender(routed: RoutedSender, none: str) -> str:
    """Return the sender; raises SenderNotRegistered, with `none` as detail if there is none."""
    if routed.sender is None:
        raise SenderNotRegistered(UNOWNED if routed.unowned else none)
    return routed.sender


def _in_daytime(found: SendPolicy, draft: Draft, wanted_at: datetime) -> datetime:
    """Return the earliest send time; MARKETING is limited to the recipient's daytime."""
    if not needs_daytime(draft.channel, draft.type):
        return wanted_at
    hours = MarketingHours(
        to=draft.to[0],
        merchant_zone=found.timezone,
        opens=found.marketing_from,
        closes=found.marketing_until,
        named_zones=found.marketing_timezones,
    )
    try:
        return hours.next_allowed(wanted_at)
    except NoSuchHour as error:
        raise refusal(ErrorCode.OUTSIDE_HOURS) from error
