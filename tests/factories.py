"""Rows for tests: keyword-only, with defaults, and a tenant of its own for every test."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import text

from cli.samples.place import RATES
from models.enums import Channel, ConsentStatus, DeliveryMode, MessageType, PaymentStatus
from models.queries.billing.rate_cards import add_rates, lock_rates
from models.queries.messages import acceptance, dispatch
from models.queries.messages.acceptance import AcceptedMessage, KeyTaken, NewMessage, NotFunded
from models.rules.billing.periods import month_of
from models.rules.billing.pricing import DEFAULTS
from models.rules.billing.rate_file import read_rates
from models.rules.messages.lifecycle import STARTS
from models.rules.messages.operations import SEND_SMS, UPGRADE
from models.rules.tenants.credentials import hash_credential, new_credentials
from models.session import Database, WriteSession
from models.tables.consent import Consent
from models.tables.ledger import CreditAccount
from models.tables.merchant import Merchant
from models.tables.payment import Payment
from models.tables.price import Price
from models.tables.rate import Rate
from models.tables.tenant import ApiKey, SenderAddress, SenderNumber, Tenant
from tests.contacts import key_of

NO_LIMITS: Final[dict[str, Any]] = dict.fromkeys(
    [
        f"{whose}{what}"
        for whose in ("rate_", "tenant_rate_")
        for what in ("limit", "burst", "concurrency")
    ]
    + ["failed_login_rate", "failed_login_burst", "refusal_rate", "refusal_burst"],
    1_000_000,
)
"""Settings under which a test suite exceeds no rate limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A tenant with one merchant and a key."""

    tenant_id: int
    tenant_public_id: int
    tenant: str
    merchant_id: int
    merchant_public_id: int
    merchant: str
    sender: str
    api_key: str
    api_secret: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that authenticate the integrator."""
        return {"X-API-KEY": self.api_key, "X-API-SECRET": self.api_secret}


def unique(prefix: str) -> str:
    """Return a word no other test uses."""
    return f"{prefix}-{uuid4().hex[:12]}"


async def make_owner(
    database: Database,
    *,
    sms_limit: int = 1000,
    credits: int = 0,
    active: bool = True,
    custom_prices: bool = True,
) -> Owner:
    """Create a tenant with one merchant, its accounts, a sender and a key.

    It may buy credits at any price, except in tests of the price list.
    """
    now = datetime.now(UTC)
    name, external_id = unique("tenant"), unique("merchant")
    credentials = new_credentials()
    async with database.transaction() as db:
        tenant = Tenant(
            name=name,
            delivery_mode=DeliveryMode.SIMULATOR,
            custom_prices=custom_prices,
            created_at=now,
        )
        db.add(tenant)
        await db.flush()
        assert tenant.id is not None
        merchant = Merchant(
            tenant_id=tenant.id,
            external_id=external_id,
            display_name="Gym A",
            active=active,
            sms_limit=sms_limit,
            voice_minutes_limit=1000,
            email_limit=1000,
            timezone="America/New_York",
            created_at=now,
            updated_at=now,
        )
        db.add(merchant)
        await db.flush()
        assert merchant.id is not None
        sender = f"+{15_005_550_000 + tenant.id % 10_000}"
        db.add_all(
            [
                SenderNumber(number=sender, tenant_id=tenant.id, merchant_id=None, created_at=now),
                SenderAddress(
                    tenant_id=tenant.id, address=f"no-reply@{name}.example.com", created_at=now
                ),
                ApiKey(
                    tenant_id=tenant.id,
                    merchant_id=None,
                    name="test",
                    key=credentials.key,
                    key_hash=hash_credential(credentials.key),
                    secret_hash=hash_credential(credentials.secret),
                    created_at=now,
                ),
                *(
                    CreditAccount(
                        delivery_mode=DeliveryMode.SIMULATOR,
                        tenant_id=tenant.id,
                        merchant_id=merchant.id,
                        channel=channel,
                        available=credits if channel is Channel.SMS else 0,
                        held=0,
                    )
                    for channel in Channel
                ),
            ]
        )
        if credits:
            payment_id = await make_paid(db, tenant.id, merchant.id, credits)
            await db.execute(
                text(
                    "INSERT INTO ledger_entry (tenant_id, merchant_id, channel, kind, units,"
                    " credit_units, balance, month, payment_id, at)"
                    " VALUES (:t, :m, 'SMS', 'TOPUP', :n, :n, :n, :month, :p, :now)"
                ),
                {
                    "t": tenant.id,
                    "m": merchant.id,
                    "n": credits,
                    "p": payment_id,
                    "month": month_of(now),
                    "now": now,
                },
            )
    return Owner(
        tenant_id=tenant.id,
        tenant_public_id=tenant.public_id,
        tenant=name,
        merchant_id=merchant.id,
        merchant_public_id=merchant.public_id,
        merchant=external_id,
        sender=sender,
        api_key=credentials.key,
        api_secret=credentials.secret,
    )


async def make_paid(
    db: WriteSession, tenant_id: int, merchant_id: int, units: int, *, fulfilled: bool = True
) -> int:
    """Add a payment of SMS credits without a gateway; return its id."""
    now = datetime.now(UTC)
    payment = Payment(
        delivery_mode=DeliveryMode.SIMULATOR,
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        channel=Channel.SMS,
        units=units,
        amount_cents=100,
        currency="USD",
        payment_method_id="none",
        reference_id=unique("reference"),
        operation=UPGRADE,
        scope="",
        fingerprint="f" * 64,
        status=PaymentStatus.SUCCEEDED,
        accepted_at=now,
        taken_at=now,
        fulfilled_at=now if fulfilled else None,
        completed_at=now if fulfilled else None,
        sweep_at=now + timedelta(days=1),
    )
    db.add(payment)
    await db.flush()
    assert payment.id is not None
    return payment.id


def new_message(
    owner: Owner,
    *,
    to: str = "+18135551234",
    units: int = 1,
    key: str | None = None,
    type: MessageType = MessageType.TRANSACTIONAL,
    accepted_at: datetime | None = None,
    due_in: timedelta = timedelta(0),
    valid_for: timedelta | None = None,
    body: str = "Hello",
) -> NewMessage:
    """Return a message to accept."""
    now = accepted_at or datetime.now(UTC)
    due_at = now + due_in
    return NewMessage(
        tenant_id=owner.tenant_id,
        merchant_id=owner.merchant_id,
        channel=Channel.SMS,
        type=type,
        contact_key=key_of(to),
        to_contact=to,
        sender=owner.sender,
        body=body,
        attributes={},
        operation=SEND_SMS,
        scope="",
        idempotency_key=key,
        fingerprint="f" * 64,
        units=units,
        month=month_of(now),
        accepted_at=now,
        due_at=due_at,
        expires_at=None if valid_for is None else due_at + valid_for,
        sweep_at=now + timedelta(days=1),
    )


class _NotAccepted(Exception):
    def __init__(self, outcome: KeyTaken | NotFunded) -> None:
        self.outcome = outcome


async def try_accept(
    database: Database, message: NewMessage
) -> AcceptedMessage | KeyTaken | NotFunded:
    """Accept a message as the API does, in one transaction."""
    try:
        async with database.transaction() as db:
            outcome = await acceptance.accept(db, message)
            if not isinstance(outcome, AcceptedMessage):
                raise _NotAccepted(outcome)
    except _NotAccepted as refused:
        return refused.outcome
    return outcome


async def make_message(database: Database, message: NewMessage) -> int:
    """Accept a message that must be accepted; return its id."""
    outcome = await try_accept(database, message)
    assert isinstance(outcome, AcceptedMessage)
    return outcome.message_id


async def claim_once(
    db: WriteSession, tenant_id: int, message_id: int, at: datetime, *, provider: str = "p"
) -> None:
    """Lock a message and claim it for its first attempt, unless it is claimed or has ended."""
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    status = await db.scalar(
        text(
            "SELECT status FROM message WHERE tenant_id = :tenant_id AND id = :message_id"
            " FOR NO KEY UPDATE"
        ),
        ids,
    )
    if status in STARTS:
        await dispatch.claim(
            db,
            tenant_id=tenant_id,
            message_id=message_id,
            number=1,
            provider=provider,
            account=provider,
            now=at,
            deadline=at,
            grace=timedelta(minutes=1),
        )


async def say(database: Database, owner: Owner, *, contact: str, status: ConsentStatus) -> None:
    """Insert a consent for SMS, as of an earlier time."""
    now = datetime.now(UTC)
    async with database.transaction() as db:
        db.add(
            Consent(
                tenant_id=owner.tenant_id,
                merchant_id=owner.merchant_id,
                channel=Channel.SMS,
                contact_key=key_of(contact),
                contact=contact,
                status=status,
                source="test",
                version=0,
                updated_at=now,
            )
        )


async def add_card(
    database: Database,
    tenant_id: int,
    *,
    channel: Channel = Channel.SMS,
    provider: str = "simulator",
    country: str = "",
    unit_cost: str = "0.01",
    carrier_fee: str = "0",
    basis_points: int = 0,
    flat: str = "0",
    valid_in_days: float = -1000,
) -> Rate:
    """Insert a version of a rate card directly, so that it may lie in the past."""
    now = datetime.now(UTC)
    rate = Rate(
        tenant_id=tenant_id,
        channel=channel,
        provider=provider,
        country=country,
        valid_from=now + timedelta(days=valid_in_days),
        unit_cost=Decimal(unit_cost),
        carrier_fee=Decimal(carrier_fee),
        markup_basis_points=basis_points,
        markup_flat=Decimal(flat),
        imported_at=now,
    )
    async with database.transaction() as db:
        db.add(rate)
    return rate


async def add_price(
    database: Database,
    tenant_id: int,
    *,
    channel: Channel = Channel.SMS,
    units: int = 2500,
    amount_cents: int | None = 4900,
    currency: str = "USD",
    valid_in_days: float = -1000,
) -> None:
    """Insert a version of a tenant's price list directly; tenant 0 is all tenants."""
    now = datetime.now(UTC)
    async with database.transaction() as db:
        db.add(
            Price(
                tenant_id=tenant_id,
                channel=channel,
                units=units,
                amount_cents=amount_cents,
                currency=currency,
                valid_from=now + timedelta(days=valid_in_days),
                imported_at=now,
            )
        )


async def load_sample(database: Database) -> None:
    """Import the sample rate card as the default of all tenants, as `hexavox dev` does."""
    async with database.transaction() as db:
        now = await lock_rates(db)
        lines, bad = read_rates(RATES.read_text(), now)
        assert bad == []
        await add_rates(db, tenant_id=DEFAULTS, lines=lines, now=now)
