"""Writes SIP users to the directory, with passwords that are derived and never stored."""

import logging
from datetime import UTC, datetime
from typing import assert_never

from temporalio import activity
from temporalio.exceptions import ApplicationError

from models.enums import AlertSeverity, AlertType, Channel
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.voice.sip_users import (
    find_user_by_id,
    is_current,
    mark_synced,
    password_of,
)
from models.rules.voice.sip import SipSecrets
from models.session import Database
from models.tables.voice import VoiceCredential
from providers.ports.sip import Declined, SipAccount, Stored, Unreached, VoiceDirectory
from workflows.voice.types import Provisioned, ProvisionResult, ProvisionStep

log = logging.getLogger(__name__)

_SUBJECT = "sip-directory"


class Provisioning:
    """Updates one SIP directory."""

    def __init__(
        self, database: Database, directory: VoiceDirectory, secrets: SipSecrets | None
    ) -> None:
        self._database = database
        self._directory = directory
        self._secrets = secrets

    @activity.defn(name="provision_voice")
    async def provision_voice(self, step: ProvisionStep) -> ProvisionResult:
        """Write the current password; repeat if it was rotated meanwhile.

        Safe to run twice and concurrently: each run reads the row after its write, so the last
        write has the current version, and an older version is never written after a later one was
        read.
        """
        while (user := await self._find(step)) is not None:
            answer = await self._directory.put(self._account(user))
            match answer:
                case Stored():
                    if await self._settled(user):
                        return ProvisionResult(outcome=Provisioned.STORED)
                case Declined():
                    await self._warn(user, answer)
                    return ProvisionResult(outcome=Provisioned.DECLINED)
                case Unreached():
                    raise ApplicationError(
                        f"{self._directory.name} is out of reach: {answer.reason}",
                        type="DirectoryUnreached",
                        next_retry_delay=answer.retry_after,
                    )
                case unexpected:
                    assert_never(unexpected)
        return ProvisionResult(outcome=Provisioned.STORED)

    async def _find(self, step: ProvisionStep) -> VoiceCredential | None:
        async with self._database.read() as db:
            return await find_user_by_id(
                db, tenant_id=step.tenant_id, credential_id=step.credential_id
            )

    def _account(self, user: VoiceCredential) -> SipAccount:
        """Derive the password again; fails if the server secret differs from the API's."""
        if self._secrets is None or not is_current(user, self._secrets, user.realm):
            raise ApplicationError(
                "HEXAVOX_SERVER_SECRET is not the API's, or not set", type="ServerSecretDiffers"
            )
        return SipAccount(
            username=user.username,
            realm=user.realm,
            password=password_of(user, self._secrets),
        )

    async def _settled(self, user: VoiceCredential) -> bool:
        """Record that the directory has this version; False if it is not the current one."""
        async with self._database.transaction() as db:
            if not await mark_synced(db, user):
                return False
            await resolve_alerts(
                db,
                tenant_id=user.tenant_id,
                merchant_id=user.merchant_id,
                channel=Channel.VOICE,
                type=AlertType.PROVIDER_DEGRADED,
                subject=_SUBJECT,
                now=datetime.now(UTC),
            )
        return True

    async def _warn(self, user: VoiceCredential, declined: Declined) -> None:
        log.error(
            "the SIP directory refused a user",
            extra={
                "directory": self._directory.name,
                "provider_code": declined.provider_code,
                "tenant_id": user.tenant_id,
            },
        )
        async with self._database.transaction() as db:
            await raise_alert(
                db,
                tenant_id=user.tenant_id,
                merchant_id=user.merchant_id,
                channel=Channel.VOICE,
                type=AlertType.PROVIDER_DEGRADED,
                severity=AlertSeverity.CRITICAL,
                subject=_SUBJECT,
                message="The new SIP password is not in force yet: the SIP directory declines it.",
                now=datetime.now(UTC),
            )
