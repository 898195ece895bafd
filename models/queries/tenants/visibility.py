"""Row visibility: every read of a tenant's data on behalf of a caller starts here."""

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import MerchantNotFound
from models.tables.alert import Alert
from models.tables.base import row_id
from models.tables.batch import Batch
from models.tables.consent import Consent, ConsentChange
from models.tables.ledger import CreditAccount, LedgerEntry
from models.tables.merchant import Merchant
from models.tables.message import Message
from models.tables.messaging import Brand, Campaign, MessagingNumber
from models.tables.payment import Payment
from models.tables.tenant import ApiKey
from models.tables.voice import VoiceCredential, VoicePresence
from models.tables.webhook import WebhookEndpoint

Statement = TypeVar("Statement", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerScope:
    """The rows that a caller may read: a tenant's, or with `merchant_id` those of one merchant."""

    tenant_id: int
    merchant_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryScope:
    """A merchant that the caller may see, at one account of a registry."""

    tenant_id: int
    merchant_id: int
    provider: str
    account: str


async def get_merchant(
    db: AsyncSession, scope: CallerScope, external_id: str, *, locked: bool = False
) -> Merchant:
    """Return a merchant; raises MerchantNotFound if it does not exist or is outside the scope.

    With `locked`, the row is locked until the transaction ends.
    """
    statement = visible_merchants(scope).where(col(Merchant.external_id) == external_id)
    if locked:
        statement = statement.with_for_update(key_share=True)
    merchant = (await db.scalars(statement)).one_or_none()
    if merchant is None:
        raise MerchantNotFound
    return merchant


async def narrow_scope(db: AsyncSession, scope: CallerScope, named: str | None) -> CallerScope:
    """Return the scope, narrowed to the merchant that a request names; raises MerchantNotFound."""
    if named is None:
        return scope
    merchant = await get_merchant(db, scope, named)
    return CallerScope(tenant_id=scope.tenant_id, merchant_id=row_id(merchant.id))


def visible_merchants(scope: CallerScope) -> Select[Merchant]:
    """Select merchants; the key of a merchant sees only that merchant."""
    return _visible(select(Merchant), scope, Merchant.tenant_id, Merchant.id)


def visible_keys(scope: CallerScope) -> Select[ApiKey, str | None]:
    """Select API keys, each with its merchant's external id.

    The tenant's own keys have no merchant and are invisible to the keys of merchants.
    """
    statement = select(ApiKey, col(Merchant.external_id)).outerjoin(
        Merchant,
        (col(Merchant.tenant_id) == col(ApiKey.tenant_id))
        & (col(Merchant.id) == col(ApiKey.merchant_id)),
    )
    return _visible(statement, scope, ApiKey.tenant_id, ApiKey.merchant_id)


def visible_consents(scope: CallerScope) -> Select[Consent, str]:
    """Select consent records, each with its merchant's external id."""
    statement = select(Consent, col(Merchant.external_id)).join(
        Merchant,
        (col(Merchant.tenant_id) == col(Consent.tenant_id))
        & (col(Merchant.id) == col(Consent.merchant_id)),
    )
    return _visible(statement, scope, Consent.tenant_id, Consent.merchant_id)


def visible_consent_changes(scope: CallerScope) -> Select[ConsentChange]:
    """Select the changes of consent."""
    return _visible(
        select(ConsentChange), scope, ConsentChange.tenant_id, ConsentChange.merchant_id
    )


def visible_messages(
    scope: CallerScope, messages: type[Message] = Message, source: Any = Message
) -> Select[Message, str | None]:
    """Select messages, each with its merchant's external id.

    `messages` may be the alias of a subquery, and `source` a join that contains it. A tenant's
    direct e-mail has no merchant and is invisible to the keys of merchants.
    """
    statement = (
        select(messages, col(Merchant.external_id))
        .select_from(source)
        .outerjoin(
            Merchant,
            (col(Merchant.tenant_id) == col(messages.tenant_id))
            & (col(Merchant.id) == col(messages.merchant_id)),
        )
    )
    return _visible(statement, scope, messages.tenant_id, messages.merchant_id)


def visible_batches(scope: CallerScope) -> Select[Batch, str]:
    """Select batches, each with its merchant's external id."""
    statement = select(Batch, col(Merchant.external_id)).join(
        Merchant,
        (col(Merchant.tenant_id) == col(Batch.tenant_id))
        & (col(Merchant.id) == col(Batch.merchant_id)),
    )
    return _visible(statement, scope, Batch.tenant_id, Batch.merchant_id)


def visible_voice_users(scope: CallerScope) -> Select[VoiceCredential, VoicePresence | None, str]:
    """Select SIP users, each with its posted presence and its merchant's external id."""
    statement = (
        select(VoiceCredential, VoicePresence, col(Merchant.external_id))
        .join(
            Merchant,
            (col(Merchant.tenant_id) == col(VoiceCredential.tenant_id))
            & (col(Merchant.id) == col(VoiceCredential.merchant_id)),
        )
        .outerjoin(
            VoicePresence,
            (col(VoicePresence.tenant_id) == col(VoiceCredential.tenant_id))
            & (col(VoicePresence.credential_id) == col(VoiceCredential.id)),
        )
    )
    return _visible(statement, scope, VoiceCredential.tenant_id, VoiceCredential.merchant_id)


def visible_alerts(scope: CallerScope) -> Select[Alert, str | None]:
    """Select alerts, each with its merchant's external id.

    Alerts about the tenant itself have no merchant and are invisible to the keys of merchants.
    """
    statement = select(Alert, col(Merchant.external_id)).outerjoin(
        Merchant,
        (col(Merchant.tenant_id) == col(Alert.tenant_id))
        & (col(Merchant.id) == col(Alert.merchant_id)),
    )
    return _visible(statement, scope, Alert.tenant_id, Alert.merchant_id)


def visible_payments(scope: CallerScope) -> Select[Payment, str, int]:
    """Select payments, each with its merchant's external id and its channel's available credits."""
    statement = (
        select(
            Payment,
            col(Merchant.external_id),
            func.coalesce(col(CreditAccount.available), 0),
        )
        .join(
            Merchant,
            (col(Merchant.tenant_id) == col(Payment.tenant_id))
            & (col(Merchant.id) == col(Payment.merchant_id)),
        )
        .outerjoin(
            CreditAccount,
            (col(CreditAccount.tenant_id) == col(Payment.tenant_id))
            & (col(CreditAccount.merchant_id) == col(Payment.merchant_id))
            & (col(CreditAccount.channel) == col(Payment.channel)),
        )
    )
    return _visible(statement, scope, Payment.tenant_id, Payment.merchant_id)


def visible_ledger(scope: CallerScope) -> Select[LedgerEntry, int | None, int | None]:
    """Select ledger entries, each with the public id of the message or payment that caused it."""
    statement = (
        select(LedgerEntry, col(Message.public_id), col(Payment.public_id))
        .outerjoin(
            Message,
            (col(Message.tenant_id) == col(LedgerEntry.tenant_id))
            & (col(Message.id) == col(LedgerEntry.message_id)),
        )
        .outerjoin(
            Payment,
            (col(Payment.tenant_id) == col(LedgerEntry.tenant_id))
            & (col(Payment.id) == col(LedgerEntry.payment_id)),
        )
    )
    return _visible(statement, scope, LedgerEntry.tenant_id, LedgerEntry.merchant_id)


def visible_webhooks(scope: CallerScope) -> Select[WebhookEndpoint, str | None]:
    """Select webhook endpoints that were not deleted, each with its merchant's external id.

    The key of a merchant sees only those of its merchant.
    """
    statement = (
        select(WebhookEndpoint, col(Merchant.external_id))
        .outerjoin(
            Merchant,
            (col(Merchant.tenant_id) == col(WebhookEndpoint.tenant_id))
            & (col(Merchant.id) == col(WebhookEndpoint.merchant_id)),
        )
        .where(col(WebhookEndpoint.deleted_at).is_(None))
    )
    return _visible(statement, scope, WebhookEndpoint.tenant_id, WebhookEndpoint.merchant_id)


def visible_brands(scope: RegistryScope) -> Select[Brand]:
    """Select the brand of a merchant at one registry."""
    return select(Brand).where(
        col(Brand.tenant_id) == scope.tenant_id,
        col(Brand.merchant_id) == scope.merchant_id,
        col(Brand.provider) == scope.provider,
        col(Brand.account) == scope.account,
    )


def visible_campaigns(scope: RegistryScope) -> Select[Campaign]:
    """Select the campaigns of a merchant at one registry."""
    return select(Campaign).where(
        col(Campaign.tenant_id) == scope.tenant_id,
        col(Campaign.merchant_id) == scope.merchant_id,
        col(Campaign.provider) == scope.provider,
        col(Campaign.account) == scope.account,
    )


def visible_numbers(scope: RegistryScope) -> Select[MessagingNumber]:
    """Select the numbers that a merchant bought at one registry."""
    return select(MessagingNumber).where(
        col(MessagingNumber.tenant_id) == scope.tenant_id,
        col(MessagingNumber.merchant_id) == scope.merchant_id,
        col(MessagingNumber.provider) == scope.provider,
        col(MessagingNumber.account) == scope.account,
    )


def _visible(
    statement: Statement, scope: CallerScope, tenant_id: int, merchant_id: int | None
) -> Statement:
    """Restrict a statement to a scope; the columns hold the owner of a row."""
    statement = statement.where(col(tenant_id) == scope.tenant_id)
    if scope.merchant_id is not None:
        statement = statement.where(col(merchant_id) == scope.merchant_id)
    return statement
