"""Provisions SIP users: created on the first request, and shown only to their tenant."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import uuid4

import jwt
from pydantic import BaseModel

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.schemas.voice_provisioning import (
    V1VoiceProvisioningResponse,
    V1VoiceRotateRequest,
    VoiceBrowser,
    VoiceIceServer,
    VoiceSip,
)
from api.services.voice.presence import PresenceRecords
from models.queries.tenants.visibility import get_merchant
from models.queries.voice import sip_users
from models.rules.voice.connection import CODECS, VoicePlace
from models.rules.voice.sip import SipSecrets, turn_credential
from models.session import Database, WriteSession
from models.tables.base import row_id
from models.tables.merchant import Merchant
from models.tables.voice import VoiceCredential
from workflows.voice.types import ProvisionInput

Push = Callable[[ProvisionInput], Awaitable[None]]
"""Starts the workflow that sends a new password to a directory. It may fail: the sweeper repeats
it.
"""

_ISSUER = "hexavox"


class Rotated(BaseModel):
    """The stored answer of a rotation; it never contains the password."""

    credential_id: int
    version: int


class VoiceProvisioning:
    """Actions on SIP users; `push` is None if the registrar reads our tables itself."""

    def __init__(
        self,
        database: Database,
        place: VoicePlace,
        secrets: SipSecrets,
        presence: PresenceRecords,
        push: Push | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._place = place
        self._secrets = secrets
        self._presence = presence
        self._push = push
        self._clock = clock

    async def get(self, caller: Caller, merchant_id: str) -> V1VoiceProvisioningResponse:
        """Return the configuration of a client; the first request creates the user."""
        async with self._database.read() as db:
            merchant = await get_merchant(db, caller, merchant_id)
            user = await sip_users.find_user(
                db, tenant_id=merchant.tenant_id, merchant_id=row_id(merchant.id)
            )
        if user is None or not sip_users.is_current(user, self._secrets, self._place.realm):
            async with self._database.transaction(caller.lock_scope(merchant_id)) as db:
                user, _ = await self._current(db, merchant)
        return await self._show(caller, user, merchant)

    async def rotate(
        self, caller: Caller, order: V1VoiceRotateRequest, request: IdempotentRequest
    ) -> Outcome[V1VoiceProvisioningResponse]:
        """Replace the password of a user; the old one is refused from the commit on.

        A repeated request returns the current configuration and changes nothing: the stored answer
        has ids only, and the password is derived again.
        """
        async with self._database.transaction(
            caller.lock_scope(order.merchant_id, request.route)
        ) as db:
            stored = await find_answer(db, caller, request)
            merchant = await get_merchant(db, caller, order.merchant_id)
            user, fresh = await self._current(db, merchant)
            if stored is None:
                now = self._clock()
                if not fresh:
                    sip_users.renew(user, self._secrets, self._place.realm, now)
                user.rotated_at = now
                kept = Rotated(credential_id=row_id(user.id), version=user.version)
                await store_answer(db, caller, request, kept, now)
        view = await self._show(caller, user, merchant)
        return Accepted(view) if stored is None else Replayed(view)

    async def _current(self, db: WriteSession, merchant: Merchant) -> tuple[VoiceCredential, bool]:
        """Return the merchant's user, locked, and whether its password was created by this call.

        If the realm or the server secret has changed, the registrar's hash no longer matches the
        derived password. The user then gets a new password.
        """
        owner = {"tenant_id": merchant.tenant_id, "merchant_id": row_id(merchant.id)}
        realm, now = self._place.realm, self._clock()
        user = await sip_users.find_user(db, **owner, locked=True)
        if user is None:
            made = await sip_users.make_user(db, self._secrets, **owner, realm=realm, now=now)
            if made is not None:
                return made, True
            user = await sip_users.find_user(db, **owner, locked=True)
        assert user is not None
        if sip_users.is_current(user, self._secrets, realm):
            return user, False
        sip_users.renew(user, self._secrets, realm, now)
        return user, True

    async def _show(
        self, caller: Caller, user: VoiceCredential, merchant: Merchant
    ) -> V1VoiceProvisioningResponse:
        if self._push is not None and user.pushed_version < user.version:
            await self._push(
                ProvisionInput(
                    tenant_id=user.tenant_id,
                    credential_id=row_id(user.id),
                    public_id=user.public_id,
                    version=user.version,
                )
            )
        return V1VoiceProvisioningResponse(
            merchant_id=merchant.external_id,
            sip=self._sip(user),
            browser=self._browser(caller, user, merchant),
            codecs=list(CODECS),
            presence=await self._presence.of_user(user, merchant),
        )

    def _sip(self, user: VoiceCredential) -> VoiceSip:
        place = self._place
        return VoiceSip(
            domain=place.domain,
            registrar=place.registrar,
            username=user.username,
            password=sip_users.password_of(user, self._secrets),
            auth_realm=user.realm,
            transports=list(place.transports),
            port=place.port,
            expires_seconds=int(place.expires.total_seconds()),
        )

    def _browser(self, caller: Caller, user: VoiceCredential, merchant: Merchant) -> VoiceBrowser:
        now = self._clock().replace(microsecond=0)
        until = now + self._place.token_lifetime
        claims = {
            "iss": _ISSUER,
            "sub": user.username,
            "aud": self._place.domain,
            "tenant": str(caller.tenant_public_id),
            "merchant": merchant.external_id,
            "iat": now,
            "exp": until,
            "jti": uuid4().hex,
        }
        return VoiceBrowser(
            websocket_url=self._place.websocket_url,
            ice_servers=self._ice_servers(user, now),
            token=jwt.encode(claims, self._secrets.token_key, algorithm="HS256"),
            token_expires_at=until,
        )

    def _ice_servers(self, user: VoiceCredential, now: datetime) -> list[VoiceIceServer]:
        place = self._place
        servers = []
        if place.stun_urls:
            servers.append(
                VoiceIceServer(urls=list(place.stun_urls), username=None, credential=None)
            )
        if place.turn_secret is not None and place.turn_urls:
            turn = turn_credential(place.turn_secret, user.username, now + place.turn_lifetime)
            servers.append(
                VoiceIceServer(
                    urls=list(place.turn_urls),
                    username=turn.username,
                    credential=turn.credential,
                )
            )
        return servers
