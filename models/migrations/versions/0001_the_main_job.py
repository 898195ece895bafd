"""the main job"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "tenant",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("delivery_mode", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "delivery_mode IN ('SIMULATOR', 'LIVE')", name=op.f("ck_tenant_delivery_mode")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant")),
        sa.UniqueConstraint("name", name=op.f("uq_tenant_name")),
    )
    op.create_table(
        "consent_change",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("contact_key", sa.String(length=320), nullable=False),
        sa.Column("contact", sa.String(length=320), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_consent_change_channel")
        ),
        sa.CheckConstraint(
            "status IN ('OPT_IN', 'OPT_OUT', 'SUPPRESSED', 'RESTORED')",
            name=op.f("ck_consent_change_status"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_consent_change_tenant")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_consent_change")),
    )
    op.create_index(
        "ix_consent_change_contact",
        "consent_change",
        ["tenant_id", "merchant_id", "channel", "contact_key", "id"],
        unique=False,
    )
    op.create_table(
        "idempotency_record",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_idempotency_record_tenant")
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "operation", "scope", "idempotency_key", name=op.f("pk_idempotency_record")
        ),
    )
    op.create_index("ix_idempotency_record_age", "idempotency_record", ["created_at"], unique=False)
    op.create_table(
        "merchant",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sms_limit", sa.Integer(), nullable=False),
        sa.Column("voice_minutes_limit", sa.Integer(), nullable=False),
        sa.Column("email_limit", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("marketing_from", sa.Time(), nullable=True),
        sa.Column("marketing_until", sa.Time(), nullable=True),
        sa.Column("help_text", sa.String(length=320), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sms_limit >= 0 AND voice_minutes_limit >= 0 AND email_limit >= 0",
            name=op.f("ck_merchant_not_negative"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_merchant_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_merchant")),
        sa.UniqueConstraint(
            "tenant_id", "external_id", name=op.f("uq_merchant_tenant_id_external_id")
        ),
    )
    op.create_table(
        "sender_address",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_sender_address_tenant")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "address", name=op.f("pk_sender_address")),
    )
    op.create_table(
        "suppression",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("contact_key", sa.String(length=320), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("suppressed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_suppression_channel")
        ),
        sa.CheckConstraint(
            "reason IN ('HARD_BOUNCE', 'COMPLAINT', 'CARRIER_OPT_OUT')",
            name=op.f("ck_suppression_reason"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_suppression_tenant")),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "merchant_id",
            "channel",
            "contact_key",
            "reason",
            name=op.f("pk_suppression"),
        ),
    )
    op.create_index(
        "ix_suppression_contact",
        "suppression",
        ["tenant_id", "channel", "contact_key"],
        unique=False,
    )
    op.create_table(
        "usage_day",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_usage_day_channel")
        ),
        sa.CheckConstraint("messages >= 0 AND units >= 0", name=op.f("ck_usage_day_not_negative")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_usage_day_tenant")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "day", "merchant_id", "channel", name=op.f("pk_usage_day")
        ),
    )
    op.create_table(
        "allowance_month",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("credits_used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_allowance_month_channel")
        ),
        sa.CheckConstraint(
            "used >= 0 AND held >= 0 AND credits_used >= 0",
            name=op.f("ck_allowance_month_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_allowance_month_merchant"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "merchant_id", "channel", "month", name=op.f("pk_allowance_month")
        ),
    )
    op.create_table(
        "api_key",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_api_key_merchant"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_api_key_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    op.create_table(
        "consent",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("contact_key", sa.String(length=320), nullable=False),
        sa.Column("contact", sa.String(length=320), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_consent_channel")),
        sa.CheckConstraint("status IN ('OPT_IN', 'OPT_OUT')", name=op.f("ck_consent_status")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_consent_merchant"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "merchant_id", "channel", "contact_key", name=op.f("pk_consent")
        ),
    )
    op.create_index(
        "ix_consent_newest", "consent", ["tenant_id", "updated_at", "version"], unique=False
    )
    op.create_index(
        "ix_consent_merchant",
        "consent",
        ["tenant_id", "merchant_id", "updated_at", "version"],
        unique=False,
    )
    op.create_index(
        "ix_consent_contact",
        "consent",
        ["tenant_id", "contact_key", "updated_at", "version"],
        unique=False,
    )
    op.create_table(
        "credit_account",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_credit_account_channel")
        ),
        sa.CheckConstraint(
            "available >= 0 AND held >= 0", name=op.f("ck_credit_account_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_credit_account_merchant"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "merchant_id", "channel", name=op.f("pk_credit_account")
        ),
    )
    op.create_table(
        "inbound_message",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.String(length=16), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('OPT_OUT', 'OPT_IN', 'HELP', 'OTHER')", name=op.f("ck_inbound_message_kind")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_inbound_message_merchant"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_inbound_message_tenant")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_inbound_message")),
        sa.UniqueConstraint(
            "tenant_id",
            "provider",
            "event_id",
            name=op.f("uq_inbound_message_tenant_id_provider_event_id"),
        ),
    )
    op.create_index(
        "ix_inbound_message_merchant",
        "inbound_message",
        ["tenant_id", "merchant_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_inbound_message_sender",
        "inbound_message",
        ["tenant_id", "sender", "id"],
        unique=False,
    )
    op.create_index(
        "ix_inbound_message_number",
        "inbound_message",
        ["tenant_id", "number", "id"],
        unique=False,
    )
    op.create_table(
        "message",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("to_key", sa.String(length=320), nullable=False),
        sa.Column("to_contact", sa.String(length=320), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("billed_units", sa.Integer(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("funded", sa.Boolean(), nullable=False),
        sa.Column("held_allowance", sa.Integer(), nullable=False),
        sa.Column("held_credits", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_message_channel")),
        sa.CheckConstraint(
            "error_code IS NULL OR error_code IN ('BAD_DESTINATION', 'UNREACHABLE', 'OPTED_OUT', 'EXPIRED', 'PROVIDER_REFUSED', 'DELIVERY_FAILED', 'NO_PROVIDER', 'MERCHANT_INACTIVE', 'CONSENT_OPTED_OUT', 'CONSENT_REQUIRED', 'RECIPIENT_SUPPRESSED', 'OUTSIDE_HOURS', 'DELIVERY_UNKNOWN')",
            name=op.f("ck_message_error_code"),
        ),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'SCHEDULED', 'SENDING', 'SENT', 'DELIVERED', 'UNDELIVERED', 'FAILED', 'CANCELED', 'UNKNOWN')",
            name=op.f("ck_message_status"),
        ),
        sa.CheckConstraint(
            "type IN ('OTP', 'TRANSACTIONAL', 'REMINDER', 'NOTIFICATION', 'MARKETING')",
            name=op.f("ck_message_type"),
        ),
        sa.CheckConstraint(
            "held_allowance + held_credits = CASE WHEN funded THEN units ELSE 0 END",
            name=op.f("ck_message_fully_held"),
        ),
        sa.CheckConstraint(
            "units >= 0 AND billed_units >= 0 AND held_allowance >= 0 AND held_credits >= 0 AND attempts >= 0",
            name=op.f("ck_message_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_message_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "tenant_id",
            "operation",
            "scope",
            "idempotency_key",
            name=op.f("uq_message_tenant_id_operation_scope_idempotency_key"),
        ),
    )
    op.create_index("ix_message_accepted", "message", ["tenant_id", "accepted_at"], unique=False)
    for kind, label in (
        ("tenant", "tenantId"),
        ("source_system", "sourceSystem"),
        ("use_case", "useCase"),
    ):
        op.create_index(
            f"ix_message_call_{kind}",
            "message",
            ["tenant_id", sa.text(f"(details #>> '{{labels,{label}}}')"), "id"],
            unique=False,
            postgresql_where=sa.text("channel = 'VOICE'"),
        )
    op.create_index("ix_message_channel", "message", ["tenant_id", "channel", "id"], unique=False)
    op.create_index(
        "ix_message_merchant", "message", ["tenant_id", "merchant_id", "id"], unique=False
    )
    op.create_index("ix_message_status", "message", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_message_sweep",
        "message",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index("ix_message_to", "message", ["tenant_id", "to_key", "id"], unique=False)
    op.create_table(
        "sender_number",
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_sender_number_merchant"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_sender_number_tenant")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sender_number")),
    )
    op.create_index(
        op.f("ix_sender_number_tenant_id"), "sender_number", ["tenant_id"], unique=False
    )
    op.create_table(
        "attempt",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_message_id", sa.String(length=128), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("everywhere", sa.Boolean(), nullable=False),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "state IN ('REQUESTED', 'ACCEPTED', 'REFUSED', 'NOT_PROCESSED', 'AMBIGUOUS', 'ABSENT')",
            name=op.f("ck_attempt_state"),
        ),
        sa.CheckConstraint(
            "error_code IS NULL OR error_code IN ('BAD_DESTINATION', 'UNREACHABLE', 'OPTED_OUT', 'EXPIRED', 'PROVIDER_REFUSED', 'DELIVERY_FAILED', 'NO_PROVIDER', 'MERCHANT_INACTIVE', 'CONSENT_OPTED_OUT', 'CONSENT_REQUIRED', 'RECIPIENT_SUPPRESSED', 'OUTSIDE_HOURS', 'DELIVERY_UNKNOWN')",
            name=op.f("ck_attempt_error_code"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_attempt_number")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_attempt_message"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", "number", name=op.f("pk_attempt")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("credit_units", sa.Integer(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_ledger_entry_channel")
        ),
        sa.CheckConstraint(
            "kind = 'ADJUST' OR (units >= 0 AND credit_units BETWEEN 0 AND units)",
            name=op.f("ck_ledger_entry_parts"),
        ),
        sa.CheckConstraint(
            "kind IN ('HOLD', 'CAPTURE', 'RELEASE', 'TOPUP', 'REFUND', 'ADJUST')",
            name=op.f("ck_ledger_entry_kind"),
        ),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_ledger_entry_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_ledger_entry_merchant"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_ledger_entry_message"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint(
            "tenant_id",
            "message_id",
            "kind",
            name=op.f("uq_ledger_entry_tenant_id_message_id_kind"),
        ),
        sa.UniqueConstraint(
            "tenant_id",
            "payment_id",
            "kind",
            name=op.f("uq_ledger_entry_tenant_id_payment_id_kind"),
        ),
    )
    op.create_index(
        "ix_ledger_entry_account",
        "ledger_entry",
        ["tenant_id", "merchant_id", "channel", "id"],
        unique=False,
    )
    op.create_table(
        "message_recipient",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_key", sa.String(length=320), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_message_recipient_message"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "contact_key", "message_id", name=op.f("pk_message_recipient")
        ),
    )
    op.create_table(
        "usage_record",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_usage_record_channel")
        ),
        sa.CheckConstraint("state IN ('PROVISIONAL', 'FINAL')", name=op.f("ck_usage_record_state")),
        sa.CheckConstraint("units >= 0", name=op.f("ck_usage_record_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_usage_record_message"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", name=op.f("pk_usage_record")),
    )
    op.create_index(
        "ix_usage_record_day",
        "usage_record",
        ["tenant_id", "day", "merchant_id", "channel"],
        unique=False,
    )
    op.create_table(
        "receipt",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("phase", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('SENT', 'DELIVERED', 'UNDELIVERED', 'FAILED', 'COMPLAINED')",
            name=op.f("ck_receipt_status"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id", "attempt"],
            ["attempt.tenant_id", "attempt.message_id", "attempt.number"],
            name=op.f("fk_receipt_attempt"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_receipt")),
        sa.UniqueConstraint(
            "tenant_id", "provider", "event_id", name=op.f("uq_receipt_tenant_id_provider_event_id")
        ),
    )
    op.create_index(
        "ix_receipt_message", "receipt", ["tenant_id", "message_id", "id"], unique=False
    )
    op.create_index(
        "ix_receipt_open",
        "receipt",
        ["look_at"],
        unique=False,
        postgresql_where=sa.text("applied_at IS NULL"),
    )
