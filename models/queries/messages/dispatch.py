"""Locks, reads and claims a message for one call to a provider."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from models.enums import (
    AttemptState,
    Channel,
    DeliveryMode,
    ErrorCode,
    MessageStatus,
    MessageType,
)
from models.queries.consent.consents import CONTACT_LOCK, lock_contact
from models.queries.consent.send_policy import consents_of, joint_consent
from models.queries.messages.equal_texts import EQUAL_KEY
from models.queries.messages.message_sender import NOT_SENT, MessageSender, find_sender
from models.queries.senders.sender_queue import Pace
from models.rules.consent.marketing_hours import MarketingHours, needs_daytime
from models.rules.messages.dispatch_decision import Candidate
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAttempt:
    """An earlier attempt of the same message."""

    number: int
    account: str
    state: AttemptState
    listed: bool = False
    """Its account only lists what it has."""
    error_code: ErrorCode | None = None
    everywhere: bool = False

    @property
    def inferred(self) -> bool:
        """It counts as absent because a list lacks it, which proves nothing."""
        return self.listed and self.state is AttemptState.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatchable:
    """A message under its lock, with the facts that a dispatch needs."""

    candidate: Candidate
    tenant: str
    """Name of its tenant."""
    tenant_public_id: int
    public_id: int
    merchant_id: int
    """Row id; 0 for the tenant's own messages."""
    channel: Channel
    type: MessageType
    delivery_mode: DeliveryMode
    units: int
    guarded: bool
    """What its attempts cost is reserved, because they cost money or its tenant has a limit."""
    attempts: tuple[KnownAttempt, ...]
    disabled: frozenset[str]
    """Accounts that an operator has switched off; empty in SIMULATOR mode."""
    reported: bool
    message_sender: MessageSender
    contact_key: str
    """Of the recipient, or of the first of several."""
    to: str = field(repr=False)
    body: str = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def sender(self) -> str:
        """The number or address that it is sent from."""
        return self.message_sender.address

    @property
    def pace(self) -> Pace | None:
        """None if its sender has no limit."""
        return self.message_sender.pace


# Lock order: the message, then its contact's consent; the outer part reads what the inner one
# locked.
_LOCK = text(
    f"""
    WITH held AS MATERIALIZED (
        SELECT COALESCE(merchant_id, 0) AS merchant_id, channel, contact_key
          FROM message
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND CAST(:public_id AS bigint) IN (0, public_id)
           FOR NO KEY UPDATE
    )
    SELECT held.*, pg_advisory_xact_lock_shared({CONTACT_LOCK}),
           ARRAY(SELECT r.contact_key FROM message_recipient r
                  WHERE held.channel = 'EMAIL' AND r.tenant_id = :tenant_id
                    AND r.message_id = :message_id) AS further_keys
      FROM held
    """  # noqa: S608 - every value is a parameter
)


def reading(*, which: str, keys: str) -> str:
    """Return the statement that reads what a dispatch needs of locked messages.

    `which` is the condition of the messages `m`, `keys` an array of the recipients' contact keys.
    It must be a separate statement, so that it sees what was committed while the locks were waited
    for.
    """
    return f"""
    SELECT m.id AS message_id, m.contact_key, m.status, m.completed_at IS NOT NULL AS completed,
           m.type, m.channel, m.due_at, m.expires_at, m.units, m.to_contact, m.sender, m.body,
           m.details, m.operation,
           m.public_id, tenant.public_id AS tenant_public_id, tenant.name AS tenant,
           COALESCE(merchant.active, TRUE) AS active, merchant.timezone,
           merchant.marketing_from, merchant.marketing_until, merchant.marketing_timezones,
           m.delivery_mode,
           m.delivery_mode = 'LIVE' OR tenant.daily_spending_limit IS NOT NULL AS guarded,
           CASE WHEN m.delivery_mode = 'LIVE' THEN ARRAY(
                SELECT account FROM provider_account WHERE NOT enabled) END AS disabled,
           {consents_of("m.merchant_id", "m", "m.channel", keys)} AS consents,
           EXISTS (SELECT 1 FROM suppression s
                    WHERE s.tenant_id = m.tenant_id AND s.channel = m.channel
                      AND (s.merchant_id = m.merchant_id OR m.merchant_id IS NULL)
                      AND s.contact_key = ANY({keys})) AS suppressed,
           tried.attempts, tried.last_finished_at, reports.told, reports.reported,
           (SELECT f.failures FROM step_failure f
             WHERE f.tenant_id = m.tenant_id AND f.message_id = m.id
               AND f.step = 'dispatch') AS failures,
           m.merchant_id, merchant.external_id AS merchant, number.merchant_id AS owner_id,
           number.ready, number.id AS sender_id,
           number.public_id AS sender_public_id, number.provider AS sender_provider,
           number.claimed_at, number.account AS sender_account, entry.queued_at, entry.granted_at,
           clock_timestamp() AS now,
           CASE m.channel WHEN 'SMS' THEN number.segments_per_second
                          WHEN 'VOICE' THEN number.calls_per_second END AS per_second
      FROM message m
      JOIN tenant ON tenant.id = m.tenant_id
      LEFT JOIN merchant ON merchant.tenant_id = m.tenant_id AND merchant.id = m.merchant_id
      LEFT JOIN sender_number number ON number.number = m.sender AND number.tenant_id = m.tenant_id
      LEFT JOIN sender_queue entry ON entry.tenant_id = m.tenant_id AND entry.message_id = m.id
     CROSS JOIN LATERAL (
            SELECT json_agg(json_build_array(a.number, a.account, a.state, a.error_code,
                                             a.everywhere, a.equal_key IS NOT NULL)
                            ORDER BY a.number) AS attempts,
                   max(a.finished_at) AS last_finished_at
              FROM attempt a
             WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id) AS tried
     CROSS JOIN LATERAL (
            SELECT count(*) > 0 AS told,
                   COALESCE(bool_or(r.applied_at IS NULL
                       AND r.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')), FALSE) AS reported
              FROM receipt r
             WHERE r.tenant_id = m.tenant_id AND r.message_id = m.id) AS reports
     WHERE m.tenant_id = :tenant_id AND {which}
    """  # noqa: S608 - every value is a parameter


_READ = text(reading(which="m.id = :message_id", keys="CAST(:keys AS text[])"))


async def lock_for_dispatch(
    db: WriteSession, *, tenant_id: int, message_id: int, public_id: int = 0
) -> Dispatchable | None:
    """Lock a message and read it; None if there is no such row.

    If `public_id` is given, a row with another one counts as missing: the calling workflow was
    started for another database.

    Its contacts are locked too, shared; an opt-out takes the exclusive lock. So either the attempt
    is committed first, or the opt-out is seen here.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    locked = (await db.execute(_LOCK, {**ids, "public_id": public_id})).one_or_none()
    if locked is None:
        return None
    channel = Channel(locked.channel)
    keys = sorted({locked.contact_key, *locked.further_keys})
    for key in keys:
        if key == locked.contact_key:  # already locked by _LOCK
            continue
        await lock_contact(db, tenant_id, locked.merchant_id, channel, key, shared=True)
    read_since = time.monotonic()
    row = (await db.execute(_READ, {**ids, "keys": keys})).one()
    attempts = _attempts(row)
    sender = await find_sender(
        db,
        row,
        unsent=all(a.state in NOT_SENT and not a.inferred for a in attempts),
        ids=ids,
        channel=channel,
        key=locked.contact_key,
        read_since=read_since,
    )
    return dispatchable(row, attempts, sender, contacts=len(keys))


def _attempts(row: Row[Any]) -> tuple[KnownAttempt, ...]:
    return tuple(
        KnownAttempt(
            number=number,
            account=account,
            state=AttemptState(state),
            error_code=None if error_code is None else ErrorCode(error_code),
            everywhere=everywhere,
            listed=listed,
        )
        for number, account, state, error_code, everywhere, listed in row.attempts or ()
    )


def dispatchable(
    row: Row[Any], attempts: tuple[KnownAttempt, ...], sender: MessageSender, *, contacts: int
) -> Dispatchable:
    """Return a message from a row of `reading`; it has so many recipients."""
    return Dispatchable(
        candidate=_candidate(row, attempts, contacts=contacts, sender=sender),
        tenant=row.tenant,
        tenant_public_id=row.tenant_public_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id or 0,
        channel=Channel(row.channel),
        type=MessageType(row.type),
        delivery_mode=DeliveryMode(row.delivery_mode),
        units=row.units,
        guarded=row.guarded,
        attempts=attempts,
        disabled=frozenset(row.disabled or ()),
        reported=row.reported,
        message_sender=sender,
        contact_key=row.contact_key,
        to=row.to_contact,
        body=row.body,
        details=row.details,
    )


def _candidate(
    row: Row[Any], attempts: Sequence[KnownAttempt], *, contacts: int, sender: MessageSender
) -> Candidate:
    channel, message_type = Channel(row.channel), MessageType(row.type)
    hours = None
    if needs_daytime(channel, message_type):
        hours = MarketingHours(
            to=row.to_contact,
            merchant_zone=row.timezone,
            opens=row.marketing_from,
            closes=row.marketing_until,
            named_zones=row.marketing_timezones or (),
        )
    return Candidate(
        status=MessageStatus(row.status),
        completed=row.completed,
        type=message_type,
        due_at=row.due_at,
        expires_at=row.expires_at,
        merchant_active=row.active,
        consent=joint_consent(row.consents or (), contacts),
        suppressed=row.suppressed,
        exempt=row.operation == ANSWER_INBOUND,
        hours=hours,
        attempts=tuple(attempt.state for attempt in attempts),
        last_finished_at=row.last_finished_at,
        refused=next((a.error_code for a in attempts if a.everywhere), None),
        told=row.told,
        sender_fits=sender.fits,
        failures=row.failures or 0,
    )


_CLAIM = text(
    f"""
    WITH claimed AS (
        UPDATE message
           SET status = 'SENDING', attempts = :number, provider = :provider,
               account = :account, ready_at = NULL,
               sweep_at = CAST(:now AS timestamptz) + CAST(:grace AS interval)
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND status IN ('QUEUED', 'SCHEDULED', 'SENDING')
        RETURNING CASE WHEN :listed THEN {EQUAL_KEY} END AS equal_key
    )
    INSERT INTO attempt
           (tenant_id, message_id, number, provider, account, state, requested_at, deadline,
            everywhere, equal_key)
    SELECT :tenant_id, :message_id, :number, :provider, :account, 'REQUESTED', :now, :deadline,
           FALSE, claimed.equal_key
      FROM claimed
    RETURNING number
    """  # noqa: S608 - every value is a parameter
)


class NotClaimable(Exception):
    """The message's status does not allow a call to a provider: a bug."""


async def claim(
    db: WriteSession,
    *,
    tenant_id: int,
    message_id: int,
    number: int,
    provider: str,
    account: str,
    now: datetime,
    deadline: datetime,
    grace: timedelta = timedelta(minutes=1),
    listed: bool = False,
) -> None:
    """Write a REQUESTED attempt before the call; the caller holds the message's lock.

    The sweeper ignores the message for `grace`. `listed` if the provider can only list its
    messages: then the attempt is compared with others by its text.

    Raises:
        NotClaimable: a bug.
    """
    claimed = await db.scalar(
        _CLAIM,
        {
            "tenant_id": tenant_id,
            "message_id": message_id,
            "number": number,
            "provider": provider,
            "account": account,
            "now": now,
            "deadline": deadline,
            "grace": grace,
            "listed": listed,
        },
    )
    if claimed is None:
        raise NotClaimable
