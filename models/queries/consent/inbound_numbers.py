"""Looks up the number that a recipient texted: its owner, and its campaign's registered texts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from models.enums import DeliveryMode
from models.rules.accounts.account_scope import AccountScope
from models.rules.consent.keywords import BUILT_IN, CampaignTexts
from models.rules.senders.sender_choice import SANDBOX
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNumber:
    """A sender number of one merchant or (None) of the tenant's shared pool."""

    tenant_id: int
    tenant: str
    """Name of the tenant."""
    merchant_id: int | None
    provider: str | None
    """The registry it was bought at; None: an operator added it."""
    account: str | None
    """The account it was bought through; None: an operator added it."""
    delivery_mode: DeliveryMode
    registered: CampaignTexts | None = None
    """Texts of the campaign that the number is assigned to; None if there is none."""
    given_back: bool = False
    """The number was released: opt-outs to it are processed, nothing is sent from it."""

    def is_received_by(
        self, account: str, scope: AccountScope | None, listed_by: Collection[str]
    ) -> bool:
        """Return whether an account may deliver texts to this number.

        `scope` is the account's; `listed_by` are the accounts that the providers file lists the
        number under. A tenant in LIVE mode accepts none from the simulator, and none from an
        account that serves other tenants only: one of these may know its secret.
        """
        if account == SANDBOX and self.delivery_mode is not DeliveryMode.SIMULATOR:
            return False
        if self.account is not None:
            return self.account == account
        if listed_by and account not in {SANDBOX, *listed_by}:
            return False
        return scope is None or scope.serves(self.tenant)


# Over all tenants: a webhook knows only the number, and a number belongs to one tenant.
_NUMBER = text(
    """
    SELECT number.tenant_id, number.merchant_id, number.provider, number.account,
           tenant.name AS tenant, tenant.delivery_mode,
           campaign.profile, campaign.approved_profile
      FROM sender_number number JOIN tenant ON tenant.id = number.tenant_id
      LEFT JOIN messaging_number bought
             ON bought.tenant_id = number.tenant_id AND bought.merchant_id = number.merchant_id
            AND bought.number = number.number
            AND bought.state IN ('ACTIVE', 'RELEASE_FAILED', 'RELEASING', 'REQUESTED')
            AND (bought.assignment <> 'FAILED' OR bought.assigned_at IS NOT NULL)
      LEFT JOIN campaign
             ON campaign.tenant_id = bought.tenant_id AND campaign.id = bought.campaign_id
     WHERE number.number = :number
    """
)


_GIVEN_BACK_WITHIN: Final = timedelta(days=90)
"""How long after a number's release opt-outs to it are processed."""

# Over all tenants as well: the number's last owner counts.
_GIVEN_BACK = text(
    """
    SELECT bought.tenant_id, bought.merchant_id, bought.provider, bought.account,
           tenant.name AS tenant, tenant.delivery_mode,
           campaign.profile, campaign.approved_profile
      FROM messaging_number bought JOIN tenant ON tenant.id = bought.tenant_id
      LEFT JOIN campaign
             ON campaign.tenant_id = bought.tenant_id AND campaign.id = bought.campaign_id
            AND (bought.assignment <> 'FAILED' OR bought.assigned_at IS NOT NULL)
     WHERE bought.number = :number AND bought.state = 'RELEASED' AND bought.released_at > :since
     ORDER BY bought.released_at DESC LIMIT 1
    """
)


async def find_number(
    db: ReadSession | WriteSession, number: str, now: datetime
) -> KnownNumber | None:
    """Return the owner of a number, or the last owner of a released one; None if unknown."""
    row = (await db.execute(_NUMBER, {"number": number})).one_or_none()
    given_back = row is None
    if row is None:
        since = {"number": number, "since": now - _GIVEN_BACK_WITHIN}
        row = (await db.execute(_GIVEN_BACK, since)).one_or_none()
    if row is None:
        return None
    return KnownNumber(
        tenant_id=row.tenant_id,
        tenant=row.tenant,
        merchant_id=row.merchant_id,
        provider=row.provider,
        account=row.account,
        delivery_mode=DeliveryMode(row.delivery_mode),
        registered=_registered(row.profile, row.approved_profile),
        given_back=given_back,
    )


def _registered(
    written: Mapping[str, Any] | None, approved: Mapping[str, Any] | None
) -> CampaignTexts | None:
    """Return the approved texts of a campaign, and the opt-out words that await an approval too."""
    if written is None:
        return None
    keywords = BUILT_IN.besides(opt_out=written["opt_out_keywords"], opt_in=(), help=())
    if approved is None:
        return CampaignTexts(keywords=keywords)
    return CampaignTexts(
        keywords=keywords.besides(
            opt_out=approved["opt_out_keywords"],
            opt_in=approved["opt_in_keywords"],
            help=approved["help_keywords"],
        ),
        opt_out_message=approved["opt_out_message"],
        opt_in_message=approved["opt_in_message"],
        help_message=approved["help_message"],
    )
