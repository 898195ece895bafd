"""The initial schema, made from the table classes"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "1003"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# 52 random bits, exact in a JSON number.
_PUBLIC_ID = (
    "GREATEST(1, CAST(CAST('x' || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 13)"
    " AS bit(52)) AS bigint))"
)

# A foreign key holds the mode of a tenant that has rows; this holds that of one without rows.
_FIXED_DELIVERY_MODE = """
    CREATE FUNCTION refuse_another_delivery_mode() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the delivery mode of a tenant never changes'
              USING ERRCODE = 'check_violation', TABLE = 'tenant', COLUMN = 'delivery_mode';
    END $$;
    CREATE TRIGGER delivery_mode_is_fixed BEFORE UPDATE OF delivery_mode ON tenant
        FOR EACH ROW WHEN (OLD.delivery_mode IS DISTINCT FROM NEW.delivery_mode)
        EXECUTE FUNCTION refuse_another_delivery_mode();
"""

# Inserts one delivery for each endpoint that is sent the event. If an earlier event of the subject
# is pending, the new one waits for it; the row lock makes a delivery that ends at the same time visible.
_RECORD_WEBHOOK_EVENT = """
    CREATE FUNCTION record_webhook_event(
        of_tenant bigint, of_merchant bigint, event_type text,
        event_subject text, of_subject bigint, event_number bigint, event_state jsonb
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        new_event bigint;
    BEGIN
        -- Most tenants have none; this costs less than an INSERT of no rows.
        IF NOT EXISTS (SELECT FROM webhook_endpoint
                        WHERE tenant_id = of_tenant AND deleted_at IS NULL) THEN
            RETURN;
        END IF;
        new_event := random_id;
        INSERT INTO webhook_delivery
               (tenant_id, endpoint_id, event_id, type, merchant_id, subject, subject_id, number,
                state, status, attempts, due_at, last_error, created_at)
        SELECT of_tenant, endpoint.id, new_event, event_type, COALESCE(of_merchant, 0),
               event_subject, of_subject, event_number, event_state,
               CASE WHEN endpoint.active THEN 'PENDING' ELSE 'FAILED' END, 0,
               CASE WHEN endpoint.active AND NOT EXISTS (
                    SELECT FROM (SELECT FROM webhook_delivery earlier
                                  WHERE earlier.tenant_id = of_tenant
                                    AND earlier.endpoint_id = endpoint.id
                                    AND earlier.subject = event_subject
                                    AND earlier.subject_id = of_subject
                                    AND earlier.status = 'PENDING'
                                    FOR SHARE) pending)
                    THEN clock_timestamp() END,
               CASE WHEN NOT endpoint.active THEN 'ENDPOINT_NOT_ACTIVE' END,
               clock_timestamp()
          FROM webhook_endpoint endpoint
         WHERE endpoint.tenant_id = of_tenant
           AND endpoint.deleted_at IS NULL
           AND (endpoint.merchant_id = 0 OR endpoint.merchant_id = of_merchant)
           AND (endpoint.events = '[]' OR endpoint.events ? event_type);
    END $$
""".replace("random_id", _PUBLIC_ID)

# The order of a message's events follows from its allowed steps: models/rules/messages/lifecycle.py.
_MESSAGE_EVENTS = """
    CREATE FUNCTION record_message_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM record_webhook_event(
            NEW.tenant_id, NEW.merchant_id,
            CASE TG_OP WHEN 'INSERT' THEN 'message.accepted'
                       ELSE 'message.' || lower(NEW.status) END,
            'MESSAGE', NEW.id,
            CASE WHEN TG_OP = 'INSERT' THEN 1 WHEN NEW.status = 'SENT' THEN 2
                 WHEN OLD.status = 'UNKNOWN' THEN 4 ELSE 3 END,
            jsonb_build_object(
                'status', NEW.status, 'billedUnits', NEW.billed_units, 'attempts', NEW.attempts,
                'errorCode', NEW.error_code, 'providerCode', NEW.provider_code,
                'sentAt', NEW.sent_at, 'completedAt', NEW.completed_at,
                'correctedAt', NEW.corrected_at));
        RETURN NULL;
    END $$;
    CREATE TRIGGER message_accepted AFTER INSERT ON message
        FOR EACH ROW EXECUTE FUNCTION record_message_event();
    CREATE TRIGGER message_status AFTER UPDATE OF status ON message
        FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status
            AND NEW.status IN ('SENT', 'DELIVERED', 'UNDELIVERED', 'FAILED', 'UNKNOWN', 'CANCELED'))
        EXECUTE FUNCTION record_message_event();
"""

_INBOUND_EVENTS = """
    CREATE FUNCTION record_inbound_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM record_webhook_event(NEW.tenant_id, NEW.merchant_id, 'message.inbound',
                                     'INBOUND', NEW.id, 1, '{}');
        RETURN NULL;
    END $$;
    CREATE TRIGGER inbound_message_stored AFTER INSERT ON inbound_message
        FOR EACH ROW EXECUTE FUNCTION record_inbound_event();
"""

# A consent's `number` identifies its row; its `version` grows with each change.
_CONSENT_EVENTS = """
    CREATE FUNCTION record_consent_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM record_webhook_event(
            NEW.tenant_id, NEW.merchant_id, 'consent.changed', 'CONSENT', NEW.number, NEW.version,
            jsonb_build_object('status', NEW.status, 'source', NEW.source,
                               'updatedAt', NEW.updated_at));
        RETURN NULL;
    END $$;
    CREATE TRIGGER consent_stored AFTER INSERT ON consent
        FOR EACH ROW EXECUTE FUNCTION record_consent_event();
    CREATE TRIGGER consent_changed AFTER UPDATE OF version ON consent
        FOR EACH ROW WHEN (OLD.version IS DISTINCT FROM NEW.version)
        EXECUTE FUNCTION record_consent_event();
"""

# An upgrade has succeeded once its credits are granted, not once the charge succeeded.
_UPGRADE_EVENTS = """
    CREATE FUNCTION record_upgrade_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM record_webhook_event(
            NEW.tenant_id, NEW.merchant_id,
            CASE WHEN NEW.fulfilled_at IS NULL THEN 'upgrade.failed' ELSE 'upgrade.succeeded' END,
            'UPGRADE', NEW.id,
            CASE WHEN NEW.fulfilled_at IS NOT NULL THEN 2 WHEN NEW.status = 'FAILED' THEN 1
                 ELSE 3 END,
            jsonb_build_object('status', NEW.status));
        RETURN NULL;
    END $$;
    CREATE TRIGGER payment_fulfilled AFTER UPDATE OF fulfilled_at ON payment
        FOR EACH ROW WHEN (OLD.fulfilled_at IS NULL AND NEW.fulfilled_at IS NOT NULL)
        EXECUTE FUNCTION record_upgrade_event();
    CREATE TRIGGER payment_failed AFTER UPDATE OF status ON payment
        FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status
            AND NEW.status IN ('FAILED', 'REFUNDED'))
        EXECUTE FUNCTION record_upgrade_event();
"""

# Closing begins with the day before a tenant's creation; without usage, that day is not told of.
_USAGE_EVENTS = """
    CREATE FUNCTION record_usage_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM tenant WHERE id = NEW.tenant_id
                    AND NEW.day >= CAST(created_at AT TIME ZONE 'UTC' AS date))
           OR EXISTS (SELECT FROM usage_day WHERE tenant_id = NEW.tenant_id AND day = NEW.day) THEN
            PERFORM record_webhook_event(NEW.tenant_id, 0, 'usage.finalized', 'USAGE', 0, 1,
                                         jsonb_build_object('day', NEW.day));
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER usage_day_closed AFTER INSERT ON usage_closing
        FOR EACH ROW EXECUTE FUNCTION record_usage_event();
"""

_COMPLIANCE_EVENTS = """
    CREATE FUNCTION record_compliance_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM record_webhook_event(NEW.tenant_id, NEW.merchant_id, 'compliance.changed',
                                     'COMPLIANCE', NEW.merchant_id, 1, '{}');
        RETURN NULL;
    END $$;
    CREATE TRIGGER brand_created AFTER INSERT ON brand
        FOR EACH ROW EXECUTE FUNCTION record_compliance_event();
    CREATE TRIGGER brand_changed AFTER UPDATE OF state ON brand
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
        EXECUTE FUNCTION record_compliance_event();
    CREATE TRIGGER campaign_created AFTER INSERT ON campaign
        FOR EACH ROW EXECUTE FUNCTION record_compliance_event();
    CREATE TRIGGER campaign_changed AFTER UPDATE OF state ON campaign
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
        EXECUTE FUNCTION record_compliance_event();
    CREATE TRIGGER messaging_number_created AFTER INSERT ON messaging_number
        FOR EACH ROW EXECUTE FUNCTION record_compliance_event();
    CREATE TRIGGER messaging_number_changed AFTER UPDATE OF state, assignment ON messaging_number
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state
            OR OLD.assignment IS DISTINCT FROM NEW.assignment)
        EXECUTE FUNCTION record_compliance_event();
"""

_ALERT_EVENTS = """
    CREATE FUNCTION record_alert_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM record_webhook_event(
            NEW.tenant_id, NEW.merchant_id,
            CASE TG_OP WHEN 'INSERT' THEN 'alert.raised' ELSE 'alert.resolved' END,
            'ALERT', NEW.id, CASE TG_OP WHEN 'INSERT' THEN 1 ELSE 2 END,
            jsonb_build_object('message', NEW.message, 'count', NEW.count,
                               'resolvedAt', NEW.resolved_at));
        RETURN NULL;
    END $$;
    CREATE TRIGGER alert_raised AFTER INSERT ON alert
        FOR EACH ROW EXECUTE FUNCTION record_alert_event();
    CREATE TRIGGER alert_resolved AFTER UPDATE OF resolved_at ON alert
        FOR EACH ROW WHEN (OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL)
        EXECUTE FUNCTION record_alert_event();
"""

_WEBHOOK_EVENTS = (
    _MESSAGE_EVENTS,
    _INBOUND_EVENTS,
    _CONSENT_EVENTS,
    _UPGRADE_EVENTS,
    _USAGE_EVENTS,
    _COMPLIANCE_EVENTS,
    _ALERT_EVENTS,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_account_circuit()
    _create_account_health()
    _create_contact_key()
    _create_load_sample()
    _create_price()
    _create_provider_account()
    _create_rate()
    _create_request_bucket()
    _create_spending_day()
    _create_tenant()
    _create_alert()
    _create_consent_change()
    _create_destination_window()
    _create_idempotency_record()
    _create_merchant()
    _create_sender_address()
    _create_suppression()
    _create_usage_closing()
    _create_usage_day()
    _create_allowance_month()
    _create_api_key()
    _create_brand()
    _create_consent()
    _create_credit_account()
    _create_inbound_message()
    _create_message()
    _create_payment()
    _create_sender_number()
    _create_voice_credential()
    _create_attempt()
    _create_campaign()
    _create_ledger_entry()
    _create_message_recipient()
    _create_message_metadata()
    _create_payment_event()
    _create_sender_queue()
    _create_step_failure()
    _create_usage_record()
    _create_voice_presence()
    _create_messaging_number()
    _create_receipt()
    _create_usage_correction()
    _create_attempt_cost()
    _create_webhook_endpoint()
    _create_webhook_delivery()
    op.execute(_FIXED_DELIVERY_MODE)
    for statement in (_RECORD_WEBHOOK_EVENT, *_WEBHOOK_EVENTS):
        op.execute(statement)


def _create_account_circuit() -> None:
    op.create_table(
        "account_circuit",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("tenant_group", sa.SmallInteger(), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=128), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reason IS NULL OR reason IN ('FAILURES', 'SLOW', 'ACCOUNT_FAULT')",
            name=op.f("ck_account_circuit_reason"),
        ),
        sa.CheckConstraint("openings >= 0", name=op.f("ck_account_circuit_not_negative")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_account_circuit")),
    )


def _create_account_health() -> None:
    op.create_table(
        "account_health",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant_group", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("slow", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "attempts >= 0 AND failures >= 0 AND slow >= 0 AND latency_ms >= 0",
            name=op.f("ck_account_health_not_negative"),
        ),
        sa.CheckConstraint(
            "failures <= attempts AND slow <= attempts", name=op.f("ck_account_health_parts")
        ),
        sa.PrimaryKeyConstraint(
            "account", "bucket", "tenant_group", name=op.f("pk_account_health")
        ),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_account_health_bucket", "account_health", ["bucket"], unique=False)


def _create_contact_key() -> None:
    op.create_table(
        "contact_key",
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("check_value", sa.String(length=64), nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_contact_key_single")),
        sa.PrimaryKeyConstraint("single", name=op.f("pk_contact_key")),
    )


def _create_load_sample() -> None:
    op.create_table(
        "load_sample",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count_again_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_load_sample_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_load_sample")),
    )
    # Its only row: whoever locks it takes the sample.
    op.execute(
        "INSERT INTO load_sample (id, sampled_at, waiting, counted_at, count_again_at, open)"
        " VALUES (1, '2000-01-01Z', '{}', '2000-01-01Z', '2000-01-01Z', '{}')"
    )


def _create_price() -> None:
    op.create_table(
        "price",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_price_channel")),
        sa.CheckConstraint("units > 0 AND amount_cents > 0", name=op.f("ck_price_positive")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "channel", "units", "currency", "valid_from", name=op.f("pk_price")
        ),
    )


def _create_provider_account() -> None:
    op.create_table(
        "provider_account",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("daily_limit", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("daily_limit >= 0", name=op.f("ck_provider_account_limit")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_provider_account")),
    )


def _create_rate() -> None:
    op.create_table(
        "rate",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unit_cost", sa.Numeric(precision=12, scale=6), nullable=False),
        sa.Column("carrier_fee", sa.Numeric(precision=12, scale=6), nullable=False),
        sa.Column("markup_basis_points", sa.Integer(), nullable=False),
        sa.Column("markup_flat", sa.Numeric(precision=12, scale=6), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_rate_channel")),
        sa.CheckConstraint(
            "unit_cost >= 0 AND carrier_fee >= 0 AND markup_basis_points >= 0 AND markup_flat >= 0",
            name=op.f("ck_rate_not_negative"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "channel", "provider", "country", "valid_from", name=op.f("pk_rate")
        ),
    )


def _create_request_bucket() -> None:
    op.create_table(
        "request_bucket",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("demand", sa.Double(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "key_id", name=op.f("pk_request_bucket")),
        prefixes=["UNLOGGED"],
    )


def _create_spending_day() -> None:
    op.create_table(
        "spending_day",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("reserved", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("booked", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.CheckConstraint("(tenant_id = 0) <> (account = '')", name=op.f("ck_spending_day_owner")),
        sa.CheckConstraint(
            "reserved >= 0 AND booked >= 0", name=op.f("ck_spending_day_not_negative")
        ),
        sa.CheckConstraint("shard BETWEEN 0 AND 7", name=op.f("ck_spending_day_shard")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "day", "account", "shard", name=op.f("pk_spending_day")
        ),
    )
    op.create_index("ix_spending_day_day", "spending_day", ["day"], unique=False)


def _create_tenant() -> None:
    op.create_table(
        "tenant",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("delivery_mode", sa.String(length=16), nullable=False),
        sa.Column("custom_prices", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "resend_after_window", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("otps_per_10_minutes", sa.Integer(), nullable=True),
        sa.Column("otps_per_day", sa.Integer(), nullable=True),
        sa.Column("new_recipients_per_hour", sa.Integer(), nullable=True),
        sa.Column("country", sa.String(length=2), server_default="US", nullable=False),
        sa.Column("allowed_countries", postgresql.ARRAY(sa.String(length=2)), nullable=True),
        sa.Column("daily_spending_limit", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "delivery_mode IN ('SIMULATOR', 'LIVE')", name=op.f("ck_tenant_delivery_mode")
        ),
        sa.CheckConstraint("daily_spending_limit >= 0", name=op.f("ck_tenant_spending_limit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant")),
        sa.UniqueConstraint("id", "delivery_mode", name=op.f("uq_tenant_id_delivery_mode")),
        sa.UniqueConstraint("name", name=op.f("uq_tenant_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_tenant_public_id")),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.String(length=12), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "channel IN ('', 'SMS', 'VOICE', 'EMAIL')", name=op.f("ck_alert_channel")
        ),
        sa.CheckConstraint(
            "severity IN ('INFO', 'WARNING', 'CRITICAL')", name=op.f("ck_alert_severity")
        ),
        sa.CheckConstraint(
            "type IN ('USAGE_THRESHOLD', 'LOW_CREDITS', 'CREDITS_EXHAUSTED', 'PROVIDER_DEGRADED', 'DELIVERY_UNKNOWN', 'PAYMENT_FAILED', 'COMPLIANCE_REJECTED', 'WEBHOOK_FAILING', 'REFUND_STUCK', 'PAYMENT_DISPUTED', 'SPENDING_LIMIT')",
            name=op.f("ck_alert_type"),
        ),
        sa.CheckConstraint("count >= 1", name=op.f("ck_alert_count")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_alert_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alert")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_alert_tenant_id_public_id")),
    )
    op.create_index("ix_alert_merchant", "alert", ["tenant_id", "merchant_id", "id"], unique=False)
    op.create_index(
        "ux_alert_open",
        "alert",
        ["tenant_id", "merchant_id", "channel", "type", "threshold", "subject"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _create_consent_change() -> None:
    op.create_table(
        "consent_change",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("contact_key", sa.String(length=80), nullable=False),
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
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_consent_change_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ix_consent_change_contact",
        "consent_change",
        ["tenant_id", "merchant_id", "channel", "contact_key", "id"],
        unique=False,
    )


def _create_destination_window() -> None:
    op.create_table(
        "destination_window",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("destination_key", sa.String(length=72), nullable=False),
        sa.Column("sent_at", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_destination_window_tenant")
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "merchant_id", "destination_key", name=op.f("pk_destination_window")
        ),
    )
    op.create_index(
        "ix_destination_window_expires", "destination_window", ["expires_at"], unique=False
    )


def _create_idempotency_record() -> None:
    op.create_table(
        "idempotency_record",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_idempotency_record_tenant")
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "route", "scope", "idempotency_key", name=op.f("pk_idempotency_record")
        ),
    )
    op.create_index("ix_idempotency_record_age", "idempotency_record", ["created_at"], unique=False)


def _create_merchant() -> None:
    op.create_table(
        "merchant",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sms_limit", sa.Integer(), nullable=False),
        sa.Column("voice_minutes_limit", sa.Integer(), nullable=False),
        sa.Column("email_limit", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("marketing_from", sa.Time(), nullable=True),
        sa.Column("marketing_until", sa.Time(), nullable=True),
        sa.Column("marketing_timezones", sa.ARRAY(sa.String(length=64)), nullable=True),
        sa.Column("help_text", sa.String(length=320), nullable=True),
        sa.Column("support_contact", sa.String(length=100), nullable=True),
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
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_merchant_tenant_id_public_id")),
    )


def _create_sender_address() -> None:
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


def _create_suppression() -> None:
    op.create_table(
        "suppression",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("contact_key", sa.String(length=80), nullable=False),
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


def _create_usage_closing() -> None:
    op.create_table(
        "usage_closing",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_usage_closing_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "day", name=op.f("pk_usage_closing")),
    )


def _create_usage_day() -> None:
    op.create_table(
        "usage_day",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column(
            "aws_cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
        sa.Column(
            "provider_cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
        sa.Column(
            "carrier_fees", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
        sa.Column("markup", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("delivered", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_usage_day_channel")
        ),
        sa.CheckConstraint(
            "messages >= 0 AND units >= 0 AND delivered >= 0 AND failed >= 0",
            name=op.f("ck_usage_day_not_negative"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_usage_day_tenant")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "day", "merchant_id", "channel", name=op.f("pk_usage_day")
        ),
    )


def _create_allowance_month() -> None:
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


def _create_api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.String(length=16)),
            server_default=sa.text("'{send,read,billing,admin}'"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['send'::varchar, 'read'::varchar,"
            " 'billing'::varchar, 'admin'::varchar]",
            name=op.f("ck_api_key_scopes"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_api_key_merchant"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_api_key_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_api_key_tenant_id_public_id")),
    )
    op.create_index(
        "ix_api_key_live",
        "api_key",
        ["tenant_id", "merchant_id", "id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _create_brand() -> None:
    op.create_table(
        "brand",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=32), server_default="default", nullable=False),
        sa.Column("submission", sa.Integer(), nullable=False),
        sa.Column("vendor_id", sa.String(length=128), nullable=True),
        sa.Column("vendor_state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("profile", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('DRAFT', 'PENDING', 'APPROVED', 'REJECTED')", name=op.f("ck_brand_state")
        ),
        sa.CheckConstraint("submission >= 0 AND revision >= 0", name=op.f("ck_brand_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_brand_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_brand")),
        sa.UniqueConstraint(
            "tenant_id",
            "merchant_id",
            "account",
            name=op.f("uq_brand_tenant_id_merchant_id_account"),
        ),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_brand_tenant_id_public_id")),
    )
    op.create_index(
        "ix_brand_sweep",
        "brand",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("sweep_at IS NOT NULL"),
    )


def _create_consent() -> None:
    op.create_table(
        "consent",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("contact_key", sa.String(length=80), nullable=False),
        sa.Column("contact", sa.String(length=320), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
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
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_consent_tenant_id_public_id")),
    )
    op.create_index(
        "ix_consent_contact", "consent", ["tenant_id", "contact_key", "number"], unique=False
    )
    op.create_index(
        "ix_consent_merchant", "consent", ["tenant_id", "merchant_id", "number"], unique=False
    )
    op.create_index("ix_consent_number", "consent", ["tenant_id", "number"], unique=False)


def _create_credit_account() -> None:
    op.create_table(
        "credit_account",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("delivery_mode", sa.String(length=16), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_credit_account_channel")
        ),
        sa.CheckConstraint(
            "delivery_mode IN ('SIMULATOR', 'LIVE')", name=op.f("ck_credit_account_delivery_mode")
        ),
        sa.CheckConstraint(
            "available >= 0 AND held >= 0", name=op.f("ck_credit_account_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_mode"],
            ["tenant.id", "tenant.delivery_mode"],
            name=op.f("fk_credit_account_tenant"),
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


def _create_inbound_message() -> None:
    op.create_table(
        "inbound_message",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("contact_key", sa.String(length=80), nullable=False),
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
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_inbound_message_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ix_inbound_message_contact",
        "inbound_message",
        ["tenant_id", "contact_key", "id"],
        unique=False,
    )
    op.create_index(
        "ix_inbound_message_merchant",
        "inbound_message",
        ["tenant_id", "merchant_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_inbound_message_number", "inbound_message", ["tenant_id", "number", "id"], unique=False
    )


def _create_message() -> None:
    op.create_table(
        "message",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("delivery_mode", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("contact_key", sa.String(length=80), nullable=False),
        sa.Column("to_contact", sa.String(length=320), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("chunk_id", sa.BigInteger(), nullable=True),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("account", sa.String(length=32), nullable=True),
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
        sa.Column("held_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_message_channel")),
        sa.CheckConstraint(
            "delivery_mode IN ('SIMULATOR', 'LIVE')", name=op.f("ck_message_delivery_mode")
        ),
        sa.CheckConstraint(
            "error_code IS NULL OR error_code IN ('BAD_DESTINATION', 'UNREACHABLE', 'OPTED_OUT', 'EXPIRED', 'PROVIDER_REFUSED', 'DELIVERY_FAILED', 'NO_PROVIDER', 'MERCHANT_INACTIVE', 'CONSENT_OPTED_OUT', 'CONSENT_REQUIRED', 'RECIPIENT_SUPPRESSED', 'OUTSIDE_HOURS', 'SENDER_NOT_REGISTERED', 'DELIVERY_UNKNOWN', 'UNPROCESSABLE')",
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
            ["tenant_id", "delivery_mode"],
            ["tenant.id", "tenant.delivery_mode"],
            name=op.f("fk_message_tenant"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_message_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "tenant_id",
            "idempotency_key",
            "operation",
            "scope",
            name=op.f("uq_message_tenant_id_idempotency_key_operation_scope"),
        ),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_message_tenant_id_public_id")),
    )
    op.create_index("ix_message_accepted", "message", ["tenant_id", "accepted_at"], unique=False)
    op.create_index(
        "ix_message_call_source_system",
        "message",
        ["tenant_id", sa.literal_column("(details #>> '{labels,sourceSystem}')"), "id"],
        unique=False,
        postgresql_where=sa.text("channel = 'VOICE'"),
    )
    op.create_index(
        "ix_message_call_tenant",
        "message",
        ["tenant_id", sa.literal_column("(details #>> '{labels,tenantId}')"), "id"],
        unique=False,
        postgresql_where=sa.text("channel = 'VOICE'"),
    )
    op.create_index(
        "ix_message_call_use_case",
        "message",
        ["tenant_id", sa.literal_column("(details #>> '{labels,useCase}')"), "id"],
        unique=False,
        postgresql_where=sa.text("channel = 'VOICE'"),
    )
    op.create_index("ix_message_channel", "message", ["tenant_id", "channel", "id"], unique=False)
    op.create_index(
        "ix_message_heard",
        "message",
        ["tenant_id", "merchant_id", "contact_key", "id"],
        unique=False,
        postgresql_where=sa.text("channel IN ('SMS', 'VOICE')"),
    )
    op.create_index(
        "ix_message_merchant", "message", ["tenant_id", "merchant_id", "id"], unique=False
    )
    op.create_index(
        "ix_message_ready",
        "message",
        ["type", "tenant_id", "ready_at", "sweep_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NULL AND ready_at IS NOT NULL"),
    )
    op.create_index("ix_message_status", "message", ["tenant_id", "status", "id"], unique=False)
    op.create_index(
        "ix_message_sweep",
        "message",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index("ix_message_to", "message", ["tenant_id", "contact_key", "id"], unique=False)
    op.create_index(
        "ix_message_tried",
        "message",
        ["tenant_id", "accepted_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NULL AND attempts > 0"),
    )
    op.create_index("ix_message_type", "message", ["tenant_id", "type", "id"], unique=False)


def _create_payment() -> None:
    op.create_table(
        "payment",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_mode", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payment_method_id", sa.String(length=255), nullable=False),
        sa.Column("reference_id", sa.String(length=255), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("failure", sa.String(length=24), nullable=True),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("gateway", sa.String(length=32), nullable=True),
        sa.Column("account", sa.String(length=32), server_default="default", nullable=False),
        sa.Column("charge_id", sa.String(length=128), nullable=True),
        sa.Column("refund_id", sa.String(length=128), nullable=True),
        sa.Column("next_action_url", sa.String(length=2048), nullable=True),
        sa.Column("captured_cents", sa.BigInteger(), nullable=True),
        sa.Column("captured_currency", sa.String(length=3), nullable=True),
        sa.Column("refunded_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("dispute", sa.String(length=16), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mismatch_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disputed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refund_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refund_stuck_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'REFUNDED') = (refunded_at IS NOT NULL)", name=op.f("ck_payment_refunded")
        ),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_payment_channel")),
        sa.CheckConstraint(
            "delivery_mode IN ('SIMULATOR', 'LIVE')", name=op.f("ck_payment_delivery_mode")
        ),
        sa.CheckConstraint(
            "failure IS NULL OR failure IN ('DECLINED', 'CHARGE_FAILED', 'CANCELED', 'EXPIRED', 'NO_GATEWAY', 'AMOUNT_MISMATCH', 'FOREIGN_CHARGE', 'REVERSED', 'MERCHANT_INACTIVE')",
            name=op.f("ck_payment_failure"),
        ),
        sa.CheckConstraint(
            "fulfilled_at IS NULL OR (status = 'SUCCEEDED' AND refund_due_at IS NULL)",
            name=op.f("ck_payment_fulfilled"),
        ),
        sa.CheckConstraint(
            "status <> 'SUCCEEDED' OR taken_at IS NOT NULL", name=op.f("ck_payment_taken")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'REQUIRES_ACTION', 'SUCCEEDED', 'FAILED', 'REFUNDED')",
            name=op.f("ck_payment_status"),
        ),
        sa.CheckConstraint(
            "dispute IS NULL OR dispute IN ('DISPUTED', 'DISPUTE_WON', 'DISPUTE_LOST') AND disputed_at IS NOT NULL",
            name=op.f("ck_payment_dispute"),
        ),
        sa.CheckConstraint("refunded_cents >= 0", name=op.f("ck_payment_refunded_cents")),
        sa.CheckConstraint(
            "refund_stuck_at IS NULL OR (refund_due_at IS NOT NULL AND completed_at IS NOT NULL)",
            name=op.f("ck_payment_refund_stuck"),
        ),
        sa.CheckConstraint("units > 0 AND amount_cents > 0", name=op.f("ck_payment_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_mode"],
            ["tenant.id", "tenant.delivery_mode"],
            name=op.f("fk_payment_tenant"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_payment_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment")),
        sa.UniqueConstraint(
            "tenant_id",
            "operation",
            "scope",
            "idempotency_key",
            name=op.f("uq_payment_tenant_id_operation_scope_idempotency_key"),
        ),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_payment_tenant_id_public_id")),
    )
    op.create_index(
        "ix_payment_merchant", "payment", ["tenant_id", "merchant_id", "id"], unique=False
    )
    op.create_index(
        "ix_payment_sweep",
        "payment",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index(
        "ux_payment_charge",
        "payment",
        ["tenant_id", "gateway", "account", "charge_id"],
        unique=True,
        postgresql_where=sa.text("charge_id IS NOT NULL"),
    )
    op.create_index(
        "ux_payment_reference",
        "payment",
        ["tenant_id", "merchant_id", "reference_id"],
        unique=True,
        postgresql_where=sa.text("failed_at IS NULL"),
    )


def _create_sender_number() -> None:
    op.create_table(
        "sender_number",
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.String(length=32), nullable=True),
        sa.Column("account", sa.String(length=32), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("segments_per_second", sa.Numeric(precision=9, scale=3), nullable=True),
        sa.Column("next_segment_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("calls_per_second", sa.Numeric(precision=9, scale=3), nullable=True),
        sa.Column("next_call_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "needs_registration", sa.Boolean(), server_default=sa.text("true"), nullable=False
        ),
        sa.Column(
            "ready",
            sa.Boolean(),
            sa.Computed("registered_at IS NOT NULL OR NOT needs_registration", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "ring",
            sa.BigInteger(),
            sa.Computed("hashtextextended(number, 0)", persisted=True),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "claimed_at IS NULL OR (provider IS NOT NULL AND merchant_id IS NOT NULL)",
            name=op.f("ck_sender_number_claim"),
        ),
        sa.CheckConstraint(
            "segments_per_second > 0 AND calls_per_second > 0", name=op.f("ck_sender_number_limits")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_sender_number_merchant"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_sender_number_tenant")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sender_number")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_sender_number_tenant_id_id")),
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_sender_number_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ix_sender_number_merchant",
        "sender_number",
        ["tenant_id", "merchant_id", "ready", "ring"],
        unique=False,
    )
    op.create_index(
        "ix_sender_number_pool",
        "sender_number",
        ["tenant_id", "ring"],
        unique=False,
        postgresql_where=sa.text("merchant_id IS NULL AND provider IS NULL"),
    )


def _create_voice_credential() -> None:
    op.create_table(
        "voice_credential",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("realm", sa.String(length=255), nullable=False),
        sa.Column("ha1", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("pushed_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "username ~ '^t[0-9a-f]+m[0-9a-f]+$'", name=op.f("ck_voice_credential_username")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_voice_credential_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_voice_credential_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_voice_credential")),
        sa.UniqueConstraint(
            "tenant_id", "merchant_id", name=op.f("uq_voice_credential_tenant_id_merchant_id")
        ),
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_voice_credential_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ix_voice_credential_unpushed",
        "voice_credential",
        ["changed_at"],
        unique=False,
        postgresql_where=sa.text("pushed_version < version"),
    )
    op.create_index("ix_voice_credential_username", "voice_credential", ["username"], unique=False)


def _create_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=32), server_default="default", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report_wait_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider_message_id", sa.String(length=128), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("everywhere", sa.Boolean(), nullable=False),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("equal_key", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "error_code IS NULL OR error_code IN ('BAD_DESTINATION', 'UNREACHABLE', 'OPTED_OUT', 'EXPIRED', 'PROVIDER_REFUSED', 'DELIVERY_FAILED', 'NO_PROVIDER', 'MERCHANT_INACTIVE', 'CONSENT_OPTED_OUT', 'CONSENT_REQUIRED', 'RECIPIENT_SUPPRESSED', 'OUTSIDE_HOURS', 'SENDER_NOT_REGISTERED', 'DELIVERY_UNKNOWN', 'UNPROCESSABLE')",
            name=op.f("ck_attempt_error_code"),
        ),
        sa.CheckConstraint(
            "state IN ('REQUESTED', 'ACCEPTED', 'REFUSED', 'NOT_PROCESSED', 'AMBIGUOUS', 'ABSENT')",
            name=op.f("ck_attempt_state"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_attempt_number")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_attempt_message"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", "number", name=op.f("pk_attempt")),
    )
    op.create_index(
        "ix_attempt_equal",
        "attempt",
        ["equal_key", "requested_at"],
        unique=False,
        postgresql_where=sa.text("equal_key IS NOT NULL"),
    )
    op.create_index("ix_attempt_requested", "attempt", ["requested_at"], unique=False)
    op.create_index(
        "ux_attempt_provider_message",
        "attempt",
        ["tenant_id", "provider", "account", "provider_message_id"],
        unique=True,
        postgresql_where=sa.text("provider_message_id IS NOT NULL"),
    )


def _create_campaign() -> None:
    op.create_table(
        "campaign",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=32), server_default="default", nullable=False),
        sa.Column("submission", sa.Integer(), nullable=False),
        sa.Column("vendor_id", sa.String(length=128), nullable=True),
        sa.Column("vendor_state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("brand_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("profile", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("approved_profile", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("segments_per_second", sa.Numeric(precision=9, scale=3), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('DRAFT', 'PENDING', 'APPROVED', 'REJECTED')", name=op.f("ck_campaign_state")
        ),
        sa.CheckConstraint("segments_per_second > 0", name=op.f("ck_campaign_throughput")),
        sa.CheckConstraint(
            "submission >= 0 AND revision >= 0", name=op.f("ck_campaign_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "brand_id"],
            ["brand.tenant_id", "brand.id"],
            name=op.f("fk_campaign_brand"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_campaign_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_campaign_tenant_id_public_id")),
    )
    op.create_index(
        "ix_campaign_merchant", "campaign", ["tenant_id", "merchant_id", "id"], unique=False
    )
    op.create_index(
        "ix_campaign_sweep",
        "campaign",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("sweep_at IS NOT NULL"),
    )


def _create_ledger_entry() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
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
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["payment.tenant_id", "payment.id"],
            name=op.f("fk_ledger_entry_payment"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint(
            "tenant_id",
            "message_id",
            "kind",
            name=op.f("uq_ledger_entry_tenant_id_message_id_kind"),
        ),
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_ledger_entry_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ux_ledger_entry_payment",
        "ledger_entry",
        ["tenant_id", "payment_id", "kind"],
        unique=True,
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_index(
        "ix_ledger_entry_account",
        "ledger_entry",
        ["tenant_id", "merchant_id", "channel", "id"],
        unique=False,
    )
    op.create_index(
        "ix_ledger_entry_upgrade",
        "ledger_entry",
        ["tenant_id", "merchant_id", "channel", "id"],
        unique=False,
        postgresql_where=sa.text("kind = 'TOPUP'"),
    )


def _create_message_metadata() -> None:
    op.create_table(
        "message_metadata",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("pair", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_message_metadata_message"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "pair", "message_id", name=op.f("pk_message_metadata")
        ),
    )


def _create_message_recipient() -> None:
    op.create_table(
        "message_recipient",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_key", sa.String(length=80), nullable=False),
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
    op.create_index(
        "ix_message_recipient_message",
        "message_recipient",
        ["tenant_id", "message_id"],
        unique=False,
    )


def _create_payment_event() -> None:
    op.create_table(
        "payment_event",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("charge_id", sa.String(length=128), nullable=False),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('PROCESSING', 'NEEDS_ACTION', 'SUCCEEDED', 'DECLINED', 'FAILED', 'CANCELED', 'REFUNDED', 'DISPUTED', 'DISPUTE_WON', 'DISPUTE_LOST')",
            name=op.f("ck_payment_event_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["payment.tenant_id", "payment.id"],
            name=op.f("fk_payment_event_payment"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment_event")),
        sa.UniqueConstraint(
            "tenant_id",
            "gateway",
            "event_id",
            name=op.f("uq_payment_event_tenant_id_gateway_event_id"),
        ),
    )
    op.create_index(
        "ix_payment_event_payment", "payment_event", ["tenant_id", "payment_id", "id"], unique=False
    )


def _create_sender_queue() -> None:
    op.create_table(
        "sender_queue",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_sender_queue_channel")
        ),
        sa.CheckConstraint("units >= 1", name=op.f("ck_sender_queue_units")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_sender_queue_message"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sender_id"],
            ["sender_number.tenant_id", "sender_number.id"],
            name=op.f("fk_sender_queue_sender_number"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", name=op.f("pk_sender_queue")),
    )
    op.create_index(
        "ix_sender_queue_granted",
        "sender_queue",
        ["tenant_id", "sender_id", "channel", "granted_at"],
        unique=False,
    )
    op.create_index(
        "ix_sender_queue_merchant",
        "sender_queue",
        ["tenant_id", "sender_id", "channel", "priority", "merchant_id", "turn"],
        unique=False,
        postgresql_where=sa.text("granted_at IS NULL"),
    )
    op.create_index(
        "ix_sender_queue_next",
        "sender_queue",
        ["tenant_id", "sender_id", "channel", "priority", "turn", "seq"],
        unique=False,
        postgresql_where=sa.text("granted_at IS NULL"),
    )


def _create_step_failure() -> None:
    op.create_table(
        "step_failure",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("failures >= 1", name=op.f("ck_step_failure_failures")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_step_failure_message"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", "step", name=op.f("pk_step_failure")),
    )


def _create_usage_record() -> None:
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
        sa.Column("country", sa.String(length=2), server_default="", nullable=False),
        sa.Column("cost_units", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column(
            "carrier_fee", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
        sa.Column("markup", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("priced_by", sa.String(length=8), nullable=True),
        sa.Column("gap", sa.String(length=16), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_usage_record_channel")
        ),
        sa.CheckConstraint(
            "gap IS NULL OR gap IN ('RATE_MISSING', 'VENDOR_PRICE')",
            name=op.f("ck_usage_record_gap"),
        ),
        sa.CheckConstraint(
            "priced_by IS NULL OR priced_by IN ('CARD', 'VENDOR')",
            name=op.f("ck_usage_record_priced_by"),
        ),
        sa.CheckConstraint("state IN ('PROVISIONAL', 'FINAL')", name=op.f("ck_usage_record_state")),
        sa.CheckConstraint(
            "units >= 0 AND cost_units >= 0 AND cost >= 0 AND carrier_fee >= 0 AND markup >= 0",
            name=op.f("ck_usage_record_not_negative"),
        ),
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
    op.create_index(
        "ix_usage_record_gap",
        "usage_record",
        ["tenant_id", "gap", "day"],
        unique=False,
        postgresql_where=sa.text("state = 'PROVISIONAL'"),
    )
    op.create_index(
        "ix_usage_record_price_due",
        "usage_record",
        ["price_due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'PROVISIONAL' AND gap = 'VENDOR_PRICE'"),
    )
    op.create_index(
        "ix_usage_record_unpriced",
        "usage_record",
        ["tenant_id", "gap", "channel", "provider", "country", "day", "merchant_id"],
        unique=False,
        postgresql_where=sa.text("state = 'PROVISIONAL'"),
    )


def _create_voice_presence() -> None:
    op.create_table(
        "voice_presence",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=True),
        sa.Column("contact", sa.String(length=512), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('ONLINE', 'BUSY', 'AWAY', 'OFFLINE')", name=op.f("ck_voice_presence_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credential_id"],
            ["voice_credential.tenant_id", "voice_credential.id"],
            name="fk_voice_presence_credential",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "credential_id", name=op.f("pk_voice_presence")),
    )


def _create_messaging_number() -> None:
    op.create_table(
        "messaging_number",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=32), server_default="default", nullable=False),
        sa.Column("submission", sa.Integer(), nullable=False),
        sa.Column("vendor_id", sa.String(length=128), nullable=True),
        sa.Column("vendor_state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=True),
        sa.Column("assignment", sa.String(length=16), nullable=True),
        sa.Column("bought_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "assignment IS NULL OR assignment IN ('PENDING', 'ASSIGNED', 'FAILED', 'UNASSIGNING', 'UNASSIGNED', 'UNASSIGN_FAILED')",
            name=op.f("ck_messaging_number_assignment"),
        ),
        sa.CheckConstraint(
            "state IN ('REQUESTED', 'ACTIVE', 'FAILED', 'RELEASING', 'RELEASED', 'RELEASE_FAILED')",
            name=op.f("ck_messaging_number_state"),
        ),
        sa.CheckConstraint("type IN ('LOCAL', 'TOLL_FREE')", name=op.f("ck_messaging_number_type")),
        sa.CheckConstraint(
            "(assignment IS NULL) = (campaign_id IS NULL)",
            name=op.f("ck_messaging_number_of_a_campaign"),
        ),
        sa.CheckConstraint("submission >= 0", name=op.f("ck_messaging_number_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "campaign_id"],
            ["campaign.tenant_id", "campaign.id"],
            name=op.f("fk_messaging_number_campaign"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_messaging_number_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_messaging_number")),
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_messaging_number_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ix_messaging_number_given_back",
        "messaging_number",
        ["number", "released_at"],
        unique=False,
        postgresql_where=sa.text("state = 'RELEASED'"),
    )
    op.create_index(
        "ix_messaging_number_merchant",
        "messaging_number",
        ["tenant_id", "merchant_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_messaging_number_sweep",
        "messaging_number",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("sweep_at IS NOT NULL"),
    )
    op.create_index(
        "ux_messaging_number_taken",
        "messaging_number",
        ["tenant_id", "number"],
        unique=True,
        postgresql_where=sa.text("state IN ('ACTIVE', 'RELEASE_FAILED', 'RELEASING', 'REQUESTED')"),
    )


def _create_receipt() -> None:
    op.create_table(
        "receipt",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=32), server_default="default", nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("phase", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=True),
        sa.Column("contact_key", sa.String(length=80), nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("price", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("price_settled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
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
            "tenant_id",
            "provider",
            "account",
            "event_id",
            name=op.f("uq_receipt_tenant_id_provider_account_event_id"),
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


def _create_usage_correction() -> None:
    op.create_table(
        "usage_correction",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column(
            "carrier_fee", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
        sa.Column("markup", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_usage_correction_channel")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["usage_record.tenant_id", "usage_record.message_id"],
            name=op.f("fk_usage_correction_usage_record"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_usage_correction")),
    )
    op.create_index(
        "ix_usage_correction_day",
        "usage_correction",
        ["tenant_id", "day", "merchant_id", "channel"],
        unique=False,
    )
    op.create_index(
        "ix_usage_correction_message", "usage_correction", ["tenant_id", "message_id"], unique=False
    )


def _create_attempt_cost() -> None:
    op.create_table(
        "attempt_cost",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reserved", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.Column("booked", sa.Numeric(precision=18, scale=6), nullable=False),
        sa.CheckConstraint(
            "reserved >= 0 AND booked >= 0", name=op.f("ck_attempt_cost_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id", "number"],
            ["attempt.tenant_id", "attempt.message_id", "attempt.number"],
            name=op.f("fk_attempt_cost_attempt"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", "number", name=op.f("pk_attempt_cost")),
    )


def _create_webhook_endpoint() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "public_id",
            sa.BigInteger(),
            server_default=sa.text(_PUBLIC_ID),
            nullable=False,
        ),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.String(length=8), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("secret_version", sa.Integer(), nullable=False),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("concurrency", sa.SmallInteger(), nullable=False),
        sa.Column("awake_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "disabled_reason IS NULL OR disabled_reason IN ('FAILING', 'GONE')",
            name=op.f("ck_webhook_endpoint_disabled_reason"),
        ),
        sa.CheckConstraint("concurrency >= 1", name=op.f("ck_webhook_endpoint_concurrency")),
        sa.CheckConstraint(
            "deleted_at IS NULL OR NOT active", name=op.f("ck_webhook_endpoint_deleted")
        ),
        sa.CheckConstraint(
            "disabled_reason IS NULL OR NOT active", name=op.f("ck_webhook_endpoint_disabled")
        ),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_webhook_endpoint_not_negative")),
        sa.CheckConstraint("secret_version >= 1", name=op.f("ck_webhook_endpoint_secret_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenant.id"], name=op.f("fk_webhook_endpoint_tenant")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_webhook_endpoint")),
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_webhook_endpoint_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ix_webhook_endpoint_deleted",
        "webhook_endpoint",
        ["id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_endpoint_merchant",
        "webhook_endpoint",
        ["tenant_id", "merchant_id", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _create_webhook_delivery() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "public_id",
            sa.BigInteger(),
            server_default=sa.text(_PUBLIC_ID),
            nullable=False,
        ),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status_code", sa.SmallInteger(), nullable=True),
        sa.Column("last_error", sa.String(length=32), nullable=True),
        sa.Column("last_duration_ms", sa.Integer(), nullable=True),
        sa.Column("last_response", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('PENDING', 'SUCCEEDED', 'FAILED')", name=op.f("ck_webhook_delivery_status")
        ),
        sa.CheckConstraint(
            "subject IN ('MESSAGE', 'INBOUND', 'CONSENT', 'UPGRADE', 'USAGE', 'COMPLIANCE', 'ALERT', 'TEST')",
            name=op.f("ck_webhook_delivery_subject"),
        ),
        sa.CheckConstraint(
            "type IN ('message.accepted', 'message.sent', 'message.delivered', 'message.undelivered', 'message.failed', 'message.unknown', 'message.canceled', 'message.inbound', 'consent.changed', 'upgrade.succeeded', 'upgrade.failed', 'usage.finalized', 'compliance.changed', 'alert.raised', 'alert.resolved', 'webhook.test')",
            name=op.f("ck_webhook_delivery_type"),
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_webhook_delivery_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "endpoint_id"],
            ["webhook_endpoint.tenant_id", "webhook_endpoint.id"],
            name=op.f("fk_webhook_delivery_webhook_endpoint"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_webhook_delivery_tenant_id_public_id")
        ),
    )
    op.create_index("ix_webhook_delivery_created", "webhook_delivery", ["created_at"], unique=False)
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["tenant_id", "endpoint_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_index(
        "ix_webhook_delivery_endpoint",
        "webhook_delivery",
        ["tenant_id", "endpoint_id", "status", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_webhook_delivery_subject",
        "webhook_delivery",
        ["tenant_id", "endpoint_id", "subject", "subject_id", "number", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING'"),
    )
