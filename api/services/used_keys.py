"""Checks an Idempotency-Key against messages, batches, payments and stored answers."""

from collections.abc import Mapping
from typing import Final

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, record_key_of
from models.queries.tenants.idempotency_records import find_used
from models.rules.messages.operations import (
    SEND_BATCH,
    SEND_DIRECT_EMAIL,
    SEND_EMAIL,
    SEND_SMS,
    SEND_TTS_CALL,
    SEND_VOICE,
    UPGRADE,
)
from models.session import Database

OPERATIONS: Final[Mapping[str, str]] = {
    "POST /api/v1/messages/sms": SEND_SMS,
    "POST /api/v1/messages/voice": SEND_VOICE,
    "POST /api/v1/messages/email": SEND_EMAIL,
    "POST /api/v1/messages/batch": SEND_BATCH,
    "POST /api/v1/email/send": SEND_DIRECT_EMAIL,
    "POST /api/v1/voice/tts-calls": SEND_TTS_CALL,
    "POST /api/v1/billing/upgrade": UPGRADE,
}
"""Routes whose keys are stored in a message, a batch or a payment, with their operation."""


class UsedKeys:
    """Looks up the key of a request that is refused before it reaches its service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check_unused(self, caller: Caller, request: IdempotentRequest) -> None:
        """Raise IdempotencyKeyReused if the key was used for another request."""
        key = record_key_of(caller, request)
        if key is None:
            return
        async with self._database.read() as db:
            fingerprint = await find_used(db, key, OPERATIONS.get(request.route))
        if fingerprint is not None:
            request.check_same(fingerprint)
