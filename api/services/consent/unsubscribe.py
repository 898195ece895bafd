"""Opting out of a merchant's e-mail by the link in it (RFC 8058)."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from api.services.messages.permission import UnsubscribeLinks
from models.database.transaction_limits import LockScope
from models.enums import Channel, ConsentStatus
from models.errors import NotFound
from models.queries.consent.consents import find_address, find_said, lock_contact, say
from models.queries.tenants.merchants import find_display_name
from models.session import Database, ReadSession, WriteSession

SOURCE: Final = "email:one-click"


class Unsubscribing:
    """Takes the word of whoever holds a link of ours; it proves that it came by mail."""

    def __init__(
        self, database: Database, links: UnsubscribeLinks, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._links = links
        self._clock = clock

    async def name(self, ticket: str) -> str:
        """Return whose mail a link is about; raises NotFound for one that is not ours."""
        tenant_id, merchant_id, _ = self._read(ticket)
        async with self._database.read() as db:
            return await _name(db, tenant_id, merchant_id)

    async def opt_out(self, ticket: str) -> str:
        """Opt out and return whose mail stops; raises NotFound for a link that is not ours.

        Twice is once. From the commit on no attempt at this merchant's e-mail is made.
        """
        tenant_id, merchant_id, key = self._read(ticket)
        async with self._database.transaction(LockScope(tenant_id, merchant_id)) as db:
            name = await _name(db, tenant_id, merchant_id)
            await lock_contact(db, tenant_id, merchant_id, Channel.EMAIL, key, shared=False)
            said = await find_said(
                db,
                tenant_id=tenant_id,
                merchant_id=merchant_id,
                channel=Channel.EMAIL,
                contact_key=key,
            )
            if said is not ConsentStatus.OPT_OUT:
                await say(
                    db,
                    tenant_id=tenant_id,
                    merchant_id=merchant_id,
                    channel=Channel.EMAIL,
                    contact_key=key,
                    contact=await find_address(
                        db, tenant_id=tenant_id, merchant_id=merchant_id, contact_key=key
                    ),
                    status=ConsentStatus.OPT_OUT,
                    source=SOURCE,
                    now=self._clock(),
                )
            return name

    def _read(self, ticket: str) -> tuple[int, int, str]:
        named = self._links.read(ticket)
        if named is None:
            raise NotFound
        return named


async def _name(db: ReadSession | WriteSession, tenant_id: int, merchant_id: int) -> str:
    name = await find_display_name(db, tenant_id, merchant_id)
    if name is None:
        raise NotFound
    return name
