"""What a caller may see: every statement about a tenant's data starts here."""

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from api.http.auth import Caller
from models.errors import MerchantNotFound
from models.tables.alert import Alert
from models.tables.consent import Consent, ConsentChange
from models.tables.ledger import CreditAccount, LedgerEntry
from models.tables.merchant import Merchant
from models.tables.message import Message
from models.tables.messaging import Brand, Campaign, MessagingNumber
from models.tables.payment import Payment
from models.tables.voice import VoiceCredential, VoicePresence


def readable_merchants(caller: Caller) -> Select[Merchant]:
    """The tenant's merchants; for a merchant's key only that one."""
    statement = select(Merchant).where(col(Merchant.tenant_id) == caller.tenant_id)
    if caller.merchant_id is not None:
        statement = statement.where(col(Merchant.id) == caller.merchant_id)
    return statement


def readable_consents(caller: Caller) -> Select[Consent, str]:
    """Consent records, each with its merchant's name in the contract."""
    statement = (
        select(Consent, col(Merchant.external_id))
        .join(
            Merchant,
            (col(Merchant.tenant_id) == col(Consent.tenant_id))
            & (col(Merchant.id) == col(Consent.merchant_id)),
        )
        .where(col(Consent.tenant_id) == caller.tenant_id)
    )
    if caller.merchant_id is not None:
        statement = statement.where(col(Consent.merchant_id) == caller.merchant_id)
    return statement


def readable_consent_changes(caller: Caller) -> Select[ConsentChange]:
    """Everything recipients said."""
    statement = select(ConsentChange).where(col(ConsentChange.tenant_id) == caller.tenant_id)
    if caller.merchant_id is not None:
        statement = statement.where(col(ConsentChange.merchant_id) == caller.merchant_id)
    return statement


def readable_messages(caller: Caller) -> Select[Message, str | None]:
    """Messages, each with its merchant's name in the contract.

    Direct e-mail of the tenant itself has no merchant, and no merchant's key sees it.
    """
    statement = (
        select(Message, col(Merchant.external_id))
        .outerjoin(
            Merchant,
            (col(Merchant.tenant_id) == col(Message.tenant_id))
            & (col(Merchant.id) == col(Message.merchant_id)),
        )
        .where(col(Message.tenant_id) == caller.tenant_id)
    )
    if caller.merchant_id is not None:
        statement = statement.where(col(Message.merchant_id) == caller.merchant_id)
    return statement


def readable_brands(caller: Caller, merchant: Merchant, provider: str) -> Select[Brand]:
    """The brand of a merchant that the caller may see, at one registry."""
    return select(Brand).where(
        col(Brand.tenant_id) == caller.tenant_id,
        col(Brand.merchant_id) == merchant.id,
        col(Brand.provider) == provider,
    )


def readable_campaigns(caller: Caller, merchant: Merchant, provider: str) -> Select[Campaign]:
    """The campaigns of a merchant that the caller may see, at one registry."""
    return select(Campaign).where(
        col(Campaign.tenant_id) == caller.tenant_id,
        col(Campaign.merchant_id) == merchant.id,
        col(Campaign.provider) == provider,
    )


def readable_numbers(caller: Caller, merchant: Merchant, provider: str) -> Select[MessagingNumber]:
    """The numbers a merchant that the caller may see bought at one registry."""
    return select(MessagingNumber).where(
        col(MessagingNumber.tenant_id) == caller.tenant_id,
        col(MessagingNumber.merchant_id) == merchant.id,
        col(MessagingNumber.provider) == provider,
    )


def readable_voice_users(caller: Caller) -> Select[VoiceCredential, VoicePresence | None, str]:
    """SIP users, each with what was posted of it and its merchant's name in the contract."""
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
        .where(col(VoiceCredential.tenant_id) == caller.tenant_id)
    )
    if caller.merchant_id is not None:
        statement = statement.where(col(VoiceCredential.merchant_id) == caller.merchant_id)
    return statement


def readable_alerts(caller: Caller) -> Select[Alert, str | None]:
    """Alerts, each with its merchant's name in the contract.

    Those about the tenant itself have no merchant, and no merchant's key sees them.
    """
    statement = (
        select(Alert, col(Merchant.external_id))
        .outerjoin(
            Merchant,
            (col(Merchant.tenant_id) == col(Alert.tenant_id))
            & (col(Merchant.id) == col(Alert.merchant_id)),
        )
        .where(col(Alert.tenant_id) == caller.tenant_id)
    )
    if caller.merchant_id is not None:
        statement = statement.where(col(Alert.merchant_id) == caller.merchant_id)
    return statement


def readable_payments(caller: Caller) -> Select[Payment, str, int]:
    """Payments, each with its merchant's name in the contract and its channel's credits now."""
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
        .where(col(Payment.tenant_id) == caller.tenant_id)
    )
    if caller.merchant_id is not None:
        statement = statement.where(col(Payment.merchant_id) == caller.merchant_id)
    return statement


def readable_ledger(caller: Caller) -> Select[LedgerEntry]:
    """Movements of units."""
    statement = select(LedgerEntry).where(col(LedgerEntry.tenant_id) == caller.tenant_id)
    if caller.merchant_id is not None:
        statement = statement.where(col(LedgerEntry.merchant_id) == caller.merchant_id)
    return statement


async def get_merchant(
    db: AsyncSession, caller: Caller, external_id: str, *, locked: bool = False
) -> Merchant:
    """Return a merchant, or raise MerchantNotFound: not there, or not the caller's.

    Locked, nobody else changes it until the transaction ends.
    """
    statement = readable_merchants(caller).where(col(Merchant.external_id) == external_id)
    if locked:
        statement = statement.with_for_update(key_share=True)
    merchant = (await db.scalars(statement)).one_or_none()
    if merchant is None:
        raise MerchantNotFound
    return merchant


def row_id(number: int | None) -> int:
    """The id of a row that is in the database; before that it has none."""
    assert number is not None
    return number
