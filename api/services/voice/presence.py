"""Presence of SIP users: posted states with an expiry, combined with SIP registrations."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.http.pagination import Page, Slice
from api.schemas.voice_provisioning import V1VoiceSipPresenceRequest, VoiceSipPresenceView
from models.enums import PresenceState
from models.errors import VoiceUserNotFound
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import get_merchant, narrow_scope
from models.queries.voice.presence import User, find_posted, list_users, write_posted
from models.queries.voice.sip_users import find_user
from models.rules.voice.presence import Presence, presence_now
from models.session import Database, WriteSession
from models.tables.base import row_id
from models.tables.merchant import Merchant
from models.tables.voice import VoiceCredential, VoicePresence
from providers.ports.sip import Registration, ReportsRegistrations


class PresenceRecords:
    """Actions on presence; `registrar` reports the current SIP registrations."""

    def __init__(
        self,
        database: Database,
        registrar: ReportsRegistrations | None,
        clock: Callable[[], datetime],
        *,
        expires: timedelta,
    ) -> None:
        self._database = database
        self._registrar = registrar
        self._clock = clock
        self._expires = expires

    async def post(
        self, caller: Caller, order: V1VoiceSipPresenceRequest, request: IdempotentRequest
    ) -> Outcome[VoiceSipPresenceView]:
        """Store the state that a client posts for a user."""
        async with self._database.transaction(
            caller.lock_scope(order.merchant_id, request.route)
        ) as db:
            stored = await find_answer(db, caller, request)
            if stored is not None:
                return Replayed(VoiceSipPresenceView.model_validate(stored))
            merchant = await get_merchant(db, caller, order.merchant_id)
            user = await find_user(
                db, tenant_id=caller.tenant_id, merchant_id=row_id(merchant.id), locked=True
            )
            if user is None or user.username != order.username:
                raise VoiceUserNotFound
            now = self._clock()
            posted = await self._write(db, user, order, now)
            # The posted state without the registration, which may change at any moment.
            view = _view(user, merchant.external_id, presence_now(_posted(posted), None, now))
            await store_answer(db, caller, request, view, now)
            return Accepted(view)

    async def list(
        self, caller: Caller, merchant_id: str | None, page: Page
    ) -> Slice[VoiceSipPresenceView]:
        """Return a page of presences, newest user first."""
        async with self._database.read() as db:
            after = await find_cursor_row(db, VoiceCredential, caller.tenant_id, page.after_id())
            scope = await narrow_scope(db, caller, merchant_id)
            users = await list_users(db, scope, after=after, most=page.limit + 1)
        found = page.cut(users, lambda row: row[0].public_id)
        return Slice(await self._views(found.items), found.end)

    async def of_user(self, user: VoiceCredential, merchant: Merchant) -> VoiceSipPresenceView:
        """Return the presence of one user."""
        async with self._database.read() as db:
            posted = await find_posted(db, user)
        (view,) = await self._views([(user, posted, merchant.external_id)])
        return view

    async def _views(self, users: Sequence[User]) -> Sequence[VoiceSipPresenceView]:
        now = self._clock()
        registered = {}
        if self._registrar is not None and users:
            names = [user.username for user, _, _ in users]
            registered = dict(await self._registrar.registrations(names, now))
        return [
            _view(
                user,
                merchant,
                presence_now(
                    None if posted is None else _posted(posted),
                    _registered(registered.get(user.username)),
                    now,
                ),
            )
            for user, posted, merchant in users
        ]

    async def _write(
        self,
        db: WriteSession,
        user: VoiceCredential,
        order: V1VoiceSipPresenceRequest,
        now: datetime,
    ) -> VoicePresence:
        lasts = self._expires
        if order.expires_seconds is not None:
            lasts = timedelta(seconds=order.expires_seconds)
        told = {
            "state": order.state,
            "user_agent": order.user_agent,
            "contact": order.contact,
            "expires_at": now + lasts,
            "updated_at": now,
        }
        return await write_posted(db, user, told)


def _posted(row: VoicePresence) -> Presence:
    return Presence(
        state=PresenceState(row.state),
        user_agent=row.user_agent,
        contact=row.contact,
        expires_at=row.expires_at,
        updated_at=row.updated_at,
    )


def _registered(registration: Registration | None) -> Presence | None:
    if registration is None:
        return None
    return Presence(
        state=PresenceState.ONLINE,
        user_agent=registration.user_agent,
        contact=registration.contact,
        expires_at=registration.expires_at,
        updated_at=registration.updated_at,
    )


def _view(user: VoiceCredential, merchant: str, presence: Presence) -> VoiceSipPresenceView:
    return VoiceSipPresenceView(
        merchant_id=merchant,
        username=user.username,
        state=presence.state,
        user_agent=presence.user_agent,
        contact=presence.contact,
        expires_at=presence.expires_at,
        updated_at=presence.updated_at,
    )
