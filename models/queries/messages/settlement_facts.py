"""Locks and reads a message that is to be ended or corrected: attempts, reports and prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from models.enums import AttemptState, Channel, ErrorCode, MessageStatus, ReportStatus
from models.queries.alerts.threshold_alerts import Account
from models.queries.billing.applicable_rates import AS_JSON, CARDS, read_cards
from models.queries.billing.repricing import PostedUsage, read_posted
from models.queries.billing.usage_days import KEY
from models.rules.billing.pricing import Card, Price, choose, country_of, price
from models.rules.messages.settlement import price_settled, reported_price
from models.rules.messages.settlement_facts import AttemptFact, Facts, ReportFact
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedMessage:
    """A message under its row lock, with its hold and related rows."""

    tenant_id: int
    message_id: int
    public_id: int
    merchant_id: int
    """Row id; 0 for the tenant's own messages."""
    funded: bool
    completed: bool
    month: str
    held_allowance: int
    held_credits: int
    upgrade: int | None
    """Units of the merchant's last upgrade; None without held credits or without an upgrade."""
    accepted_at: datetime
    facts: Facts
    receipts: tuple[int, ...]
    """Ids of the receipts among the facts: only these may be closed, later ones stay open."""
    country: str
    cards: tuple[Card, ...]
    """Cards that may price it, of every provider with an attempt."""
    booked: PostedUsage | None
    """Its usage record; None if it has none."""
    guarded: bool
    """Its attempts count in daily spending."""
    days: frozenset[date]
    """Locked days, which cannot be closed before this transaction ends."""

    def price(self, provider: str, units: int, *, awaited: bool) -> Price:
        """Return the price of units at a provider; `awaited` if the provider reports its price.

        It is not awaited any more once the provider has said its last word.
        """
        theirs = [card for card in self.cards if card.provider == provider]
        return price(
            units,
            choose(theirs, self.accepted_at),
            told=reported_price(self.facts, provider),
            awaited=awaited and not price_settled(self.facts, provider),
        )

    @property
    def account(self) -> Account:
        """Account of the held units."""
        return Account(
            tenant_id=self.tenant_id, merchant_id=self.merchant_id, channel=self.facts.channel
        )


_LOCK = text(
    """
    SELECT id, public_id, COALESCE(merchant_id, 0) AS merchant_id, channel, status, funded, month,
           units, completed_at IS NOT NULL AS completed, held_allowance, held_credits,
           corrected_at IS NOT NULL AS corrected, accepted_at,
           contact_key, to_contact,
           ARRAY(SELECT r.contact_key FROM message_recipient r
                  WHERE message.channel = 'EMAIL' AND r.tenant_id = message.tenant_id
                    AND r.message_id = message.id
                    AND r.contact_key <> message.contact_key) AS further_keys,
           CASE WHEN held_credits > 0
                THEN (SELECT e.units FROM ledger_entry e
                       WHERE e.tenant_id = message.tenant_id
                         AND e.merchant_id = message.merchant_id
                         AND e.channel = message.channel AND e.kind = 'TOPUP'
                       ORDER BY e.id DESC LIMIT 1) END AS upgrade
      FROM message
     WHERE tenant_id = :tenant_id AND id = ANY(CAST(:message_ids AS bigint[]))
       AND CAST(:public_id AS bigint) IN (0, public_id)
     ORDER BY id FOR NO KEY UPDATE
    """
)

# A separate statement, so that it sees what was committed while the locks were waited for. It also
# locks every day that may be written to, the earliest first.
_FACTS = text(
    f"""
    SELECT named.message_id,
           (SELECT json_agg(json_build_array(number, provider, account, state, requested_at,
                                             provider_code) ORDER BY number)
              FROM attempt WHERE tenant_id = :tenant_id AND message_id = named.message_id
           ) AS attempts,
           (SELECT json_agg(json_build_array(attempt, status, error_code, provider_code,
                                             contact_key, duration_seconds, CAST(price AS text),
                                             price_settled)
                            ORDER BY id)
              FROM receipt WHERE tenant_id = :tenant_id AND message_id = named.message_id
           ) AS reports,
           ARRAY(SELECT id FROM receipt
                  WHERE tenant_id = :tenant_id AND message_id = named.message_id) AS receipts,
           (SELECT {AS_JSON}
              FROM (SELECT DISTINCT tenant_id, named.channel, provider, named.country,
                           named.accepted_at, statement_timestamp() AS now
                      FROM attempt
                     WHERE tenant_id = :tenant_id AND message_id = named.message_id) wanted,
                   {CARDS}) AS cards,
           (SELECT json_build_array(provider, cost_units, priced_by, gap)
              FROM usage_record
             WHERE tenant_id = :tenant_id AND message_id = named.message_id) AS booked,
           EXISTS (SELECT 1 FROM attempt_cost
                    WHERE tenant_id = :tenant_id AND message_id = named.message_id) AS guarded,
           (SELECT array_agg(day)
              FROM (SELECT day, pg_advisory_xact_lock_shared({KEY})
                      FROM (SELECT CAST(requested_at AT TIME ZONE 'UTC' AS date) AS day
                              FROM attempt
                             WHERE tenant_id = :tenant_id
                               AND message_id = ANY(CAST(:message_ids AS bigint[]))
                            UNION
                            SELECT day FROM usage_record
                             WHERE tenant_id = :tenant_id
                               AND message_id = ANY(CAST(:message_ids AS bigint[]))
                            UNION
                            SELECT CAST(statement_timestamp() AT TIME ZONE 'UTC' AS date)
                             ORDER BY day) wanted) locked) AS days
      FROM unnest(CAST(:message_ids AS bigint[]), CAST(:channels AS text[]),
                  CAST(:countries AS text[]), CAST(:accepted AS timestamptz[]))
           AS named (message_id, channel, country, accepted_at)
    """  # noqa: S608 - every value is a parameter
)


async def lock_for_settlement(
    db: WriteSession, *, tenant_id: int, message_id: int, public_id: int = 0
) -> LockedMessage | None:
    """Lock a message and read its settlement facts; None if there is no such row.

    If `public_id` is given, a row with another one counts as missing: the calling workflow was
    started for another database.

    The days that its end may be written to are locked too, so that none is closed meanwhile.
    """
    found = await _lock(db, tenant_id, [message_id], public_id)
    return found[0] if found else None


async def lock_several_for_settlement(
    db: WriteSession, *, tenant_id: int, message_ids: Sequence[int]
) -> list[LockedMessage]:
    """Lock messages of a tenant, the lowest id first, and read their settlement facts.

    Only those of the earliest month are returned: a transaction ends messages of one month, because
    months are locked before days.
    """
    locked = await _lock(db, tenant_id, message_ids, 0)
    month = min((message.month for message in locked), default="")
    return [message for message in locked if message.month == month]


async def _lock(
    db: WriteSession, tenant_id: int, message_ids: Sequence[int], public_id: int
) -> list[LockedMessage]:
    named = {"tenant_id": tenant_id, "message_ids": list(message_ids), "public_id": public_id}
    rows = (await db.execute(_LOCK, named)).all()
    if not rows:
        return []
    countries = [country_of(Channel(row.channel), row.to_contact) for row in rows]
    facts = await db.execute(
        _FACTS,
        {
            "tenant_id": tenant_id,
            "message_ids": [row.id for row in rows],
            "channels": [row.channel for row in rows],
            "countries": countries,
            "accepted": [row.accepted_at for row in rows],
        },
    )
    by_message = {found.message_id: found for found in facts}
    return [
        _locked_message(tenant_id, row, by_message[row.id], country)
        for row, country in zip(rows, countries, strict=True)
    ]


def _locked_message(tenant_id: int, row: Row[Any], found: Row[Any], country: str) -> LockedMessage:
    return LockedMessage(
        tenant_id=tenant_id,
        message_id=row.id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        funded=row.funded,
        completed=row.completed,
        month=row.month,
        held_allowance=row.held_allowance,
        held_credits=row.held_credits,
        upgrade=row.upgrade,
        accepted_at=row.accepted_at,
        facts=_facts(Channel(row.channel), row, found),
        receipts=tuple(found.receipts),
        country=country,
        cards=read_cards(found.cards),
        booked=read_posted(found.booked),
        guarded=found.guarded,
        days=frozenset(found.days),
    )


def _facts(channel: Channel, row: Row[Any], found: Row[Any]) -> Facts:
    return Facts(
        channel=channel,
        recipients=[row.contact_key, *row.further_keys],
        status=MessageStatus(row.status),
        units=row.units,
        corrected=row.corrected,
        attempts=tuple(
            AttemptFact(
                number=number,
                provider=provider,
                account=account,
                state=AttemptState(state),
                requested_at=datetime.fromisoformat(requested_at),
                provider_code=code,
            )
            for number, provider, account, state, requested_at, code in found.attempts or ()
        ),
        reports=tuple(
            ReportFact(
                attempt=attempt,
                status=ReportStatus(status),
                error_code=None if error_code is None else ErrorCode(error_code),
                provider_code=code,
                recipient=recipient,
                duration_seconds=seconds,
                price=None if price is None else Decimal(price),
                price_settled=settled,
            )
            for (
                attempt,
                status,
                error_code,
                code,
                recipient,
                seconds,
                price,
                settled,
            ) in found.reports or ()
        ),
    )
