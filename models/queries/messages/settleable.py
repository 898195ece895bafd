"""A message that somebody wants to end or correct: locked, with all that is known of it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.queries.alerts.threshold_alerts import Account
from models.queries.messages.known import Known, read_known
from models.rules.billing.pricing import Price, choose, price
from models.rules.messages.settlement import price_told
from models.rules.messages.settlement_facts import Facts
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Settleable:
    """A message under its lock, with its hold."""

    tenant_id: int
    message_id: int
    public_id: int
    merchant_id: int
    """0 for what belongs to the tenant itself."""
    funded: bool
    completed: bool
    month: str
    held_allowance: int
    held_credits: int
    accepted_at: datetime
    known: Known

    @property
    def facts(self) -> Facts:
        """Its attempts and reports."""
        return self.known.facts

    def price(self, provider: str, units: int, *, awaited: bool) -> Price:
        """Return what units of it cost with a provider; `awaited` if that tells its price."""
        theirs = [card for card in self.known.cards if card.provider == provider]
        return price(
            units,
            choose(theirs, self.accepted_at),
            told=price_told(self.facts, provider),
            awaited=awaited,
        )

    @property
    def account(self) -> Account:
        """Whose units it holds."""
        return Account(
            tenant_id=self.tenant_id, merchant_id=self.merchant_id, channel=self.facts.channel
        )


_LOCK = text(
    """
    SELECT public_id, COALESCE(merchant_id, 0) AS merchant_id, channel, status, funded, month,
           units, completed_at IS NOT NULL AS completed, held_allowance, held_credits,
           corrected_at IS NOT NULL AS corrected, accepted_at,
           contact_key, to_contact,
           ARRAY(SELECT r.contact_key FROM message_recipient r
                  WHERE message.channel = 'EMAIL' AND r.tenant_id = message.tenant_id
                    AND r.message_id = message.id
                    AND r.contact_key <> message.contact_key) AS further_keys
      FROM message WHERE tenant_id = :tenant_id AND id = :message_id
       FOR NO KEY UPDATE
    """
)


async def lock_for_settlement(
    db: WriteSession, *, tenant_id: int, message_id: int
) -> Settleable | None:
    """Lock a message and read what is known of it; None if there is no such row.

    The days that its end may be written to are locked as well: none of them closes meanwhile.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    row = (await db.execute(_LOCK, ids)).one_or_none()
    if row is None:
        return None
    return Settleable(
        tenant_id=tenant_id,
        message_id=message_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        funded=row.funded,
        completed=row.completed,
        month=row.month,
        held_allowance=row.held_allowance,
        held_credits=row.held_credits,
        accepted_at=row.accepted_at,
        known=await read_known(db, ids, row),
    )
