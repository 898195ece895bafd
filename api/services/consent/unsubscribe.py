"""Opts recipients out of a merchant's e-mail through its unsubscribe link (RFC 8058)."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from api.services.messages.permission import UnsubscribeLinks
from models.database.transaction_limits import LockScope
from models.enums import Channel, ConsentStatus
from models.errors import NotFound
from models.queries.consent.consents import find_address, find_consent, lock_contact, write_consent
from models.queries.tenants.merchants import find_by_public_ids
from models.session import Database
from models.tables.base import row_id
from models.tables.merchant import Merchant

SOURCE: Final = "email:one-click"


class Unsubscribing:
    """Opts out the holder of an unsubscribe link; the ticket proves receipt of the e-mail."""

    def __init__(
        self, database: Database, links: UnsubscribeLinks, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._links = links
        self._clock = clock

    async def name(self, ticket: str) -> str:
        """Return the merchant's name; raises NotFound for an invalid ticket."""
        merchant, _ = await self._read(ticket)
        return merchant.display_name

    async def opt_out(self, ticket: str) -> str:
        """Opt out and return the merchant's name; raises NotFound for an invalid ticket.

        Idempotent. From the commit on no attempt of this merchant's e-mail is made.
        """
        merchant, key = await self._read(ticket)
        tenant_id, merchant_id = merchant.tenant_id, row_id(merchant.id)
        async with self._database.transaction(LockScope(tenant_id, merchant_id)) as db:
            await lock_contact(db, tenant_id, merchant_id, Channel.EMAIL, key, shared=False)
            said = await find_consent(
                db,
                tenant_id=tenant_id,
                merchant_id=merchant_id,
                channel=Channel.EMAIL,
                contact_key=key,
            )
            if said is not ConsentStatus.OPT_OUT:
                await write_consent(
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
            return merchant.display_name

    async def _read(self, ticket: str) -> tuple[Merchant, str]:
        """Return the merchant and the contact key of a ticket."""
        named = self._links.read(ticket)
        if named is None:
            raise NotFound
        tenant, merchant, key = named
        async with self._database.read() as db:
            found = await find_by_public_ids(db, tenant, merchant)
        if found is None:
            raise NotFound
        return found, key
