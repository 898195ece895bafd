"""What is known of a message whose lock is held: what happened to it, and what may price it."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from models.enums import AttemptState, Channel, ErrorCode, MessageStatus, ReportStatus
from models.queries.billing.applicable_rates import AS_JSON, CARDS, read_cards
from models.queries.billing.repricing import Booked, read_booked
from models.queries.billing.usage_days import KEY
from models.rules.billing.pricing import Card, country_of
from models.rules.messages.settlement_facts import AttemptFact, Facts, ReportFact
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the tables say of a message, at one moment."""

    facts: Facts
    receipts: tuple[int, ...]
    """Ids of the receipts among the facts: only these may be closed, later ones are still open."""
    country: str
    cards: tuple[Card, ...]
    """Those that may price it, of every provider that was called for it."""
    booked: Booked | None
    """Its usage record, if it has one."""
    days: frozenset[date]
    """Locked, so that none of them closes before this transaction ends."""


# A statement of its own: it must see what was committed while the lock was waited for. On its way
# it locks every day that may be written to, the earliest first.
_FACTS = text(
    f"""
    SELECT (SELECT json_agg(json_build_array(number, provider, state, requested_at, provider_code)
                            ORDER BY number)
              FROM attempt WHERE tenant_id = :tenant_id AND message_id = :message_id) AS attempts,
           (SELECT json_agg(json_build_array(attempt, status, error_code, provider_code,
                                             contact_key, duration_seconds, CAST(price AS text))
                            ORDER BY id)
              FROM receipt WHERE tenant_id = :tenant_id AND message_id = :message_id) AS reports,
           ARRAY(SELECT id FROM receipt
                  WHERE tenant_id = :tenant_id AND message_id = :message_id) AS receipts,
           (SELECT {AS_JSON}
              FROM (SELECT DISTINCT tenant_id, CAST(:channel AS text) AS channel, provider,
                           CAST(:country AS text) AS country,
                           CAST(:accepted_at AS timestamptz) AS accepted_at,
                           statement_timestamp() AS now
                      FROM attempt
                     WHERE tenant_id = :tenant_id AND message_id = :message_id) wanted,
                   {CARDS}) AS cards,
           (SELECT json_build_array(provider, cost_units, priced_by, gap)
              FROM usage_record
             WHERE tenant_id = :tenant_id AND message_id = :message_id) AS booked,
           (SELECT array_agg(day)
              FROM (SELECT day, pg_advisory_xact_lock_shared({KEY})
                      FROM (SELECT CAST(requested_at AT TIME ZONE 'UTC' AS date) AS day
                              FROM attempt
                             WHERE tenant_id = :tenant_id AND message_id = :message_id
                            UNION
                            SELECT day FROM usage_record
                             WHERE tenant_id = :tenant_id AND message_id = :message_id
                            UNION
                            SELECT CAST(statement_timestamp() AT TIME ZONE 'UTC' AS date)
                             ORDER BY day) wanted) locked) AS days
    """  # noqa: S608 - every value is a parameter
)


async def read_known(db: WriteSession, ids: dict[str, int], row: Row[Any]) -> Known:
    """Read what is known of the message of a row, and lock the days it may be written to."""
    channel = Channel(row.channel)
    country = country_of(channel, row.to_contact)
    named = {"channel": channel, "country": country, "accepted_at": row.accepted_at}
    known = (await db.execute(_FACTS, {**ids, **named})).one()
    return Known(
        facts=_facts(channel, row, known),
        receipts=tuple(known.receipts),
        country=country,
        cards=read_cards(known.cards),
        booked=read_booked(known.booked),
        days=frozenset(known.days),
    )


def _facts(channel: Channel, row: Row[Any], known: Row[Any]) -> Facts:
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
                state=AttemptState(state),
                requested_at=datetime.fromisoformat(requested_at),
                provider_code=code,
            )
            for number, provider, state, requested_at, code in known.attempts or ()
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
            )
            for attempt, status, error_code, code, recipient, seconds, price in known.reports or ()
        ),
    )
