"""Faults in whose rows a key may see, and in signatures and credentials."""

from typing import Final

from tests.mutants.fault import Fault

_SCOPES: Final = "tests/api"

SEEING: Final = (
    Fault(
        file="api/services/readable.py",
        place="readable_merchants",
        old="col(Merchant.tenant_id) == caller.tenant_id",
        new="col(Merchant.tenant_id) > 0",
        tests=f"{_SCOPES}/test_merchants.py",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_merchants",
        old="col(Merchant.id) == caller.merchant_id",
        new="col(Merchant.id) > 0",
        tests=f"{_SCOPES}/test_merchants.py",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_consents",
        old="statement.where(col(Consent.merchant_id) == caller.merchant_id)",
        new="statement",
        tests=f"{_SCOPES}/test_consents.py",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_messages",
        old="statement.where(col(Message.merchant_id) == caller.merchant_id)",
        new="statement",
        tests=f"{_SCOPES}/test_messages.py",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_messages",
        old="col(Message.tenant_id) == caller.tenant_id",
        new="col(Message.tenant_id) > 0",
        tests=f"{_SCOPES}/test_messages.py",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_campaigns",
        old="col(Campaign.merchant_id) == merchant.id,",
        new="",
        tests=f"{_SCOPES}",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_brands",
        old="col(Brand.merchant_id) == merchant.id,",
        new="",
        tests=f"{_SCOPES}",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_numbers",
        old="col(MessagingNumber.merchant_id) == merchant.id,",
        new="",
        tests=f"{_SCOPES}",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_voice_users",
        old="statement.where(col(VoiceCredential.merchant_id) == caller.merchant_id)",
        new="statement",
        tests=f"{_SCOPES} tests/voice/test_provisioning.py",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_alerts",
        old="statement.where(col(Alert.merchant_id) == caller.merchant_id)",
        new="statement",
        tests=f"{_SCOPES}/test_alerts.py",
    ),
    Fault(
        file="api/services/readable.py",
        place="readable_payments",
        old="statement.where(col(Payment.merchant_id) == caller.merchant_id)",
        new="statement",
        tests=f"{_SCOPES}/test_billing.py",
    ),
    Fault(
        file="providers/simulated.py",
        place="verified",
        old="if abs(time.time() - int(at)) > _TOLERANCE:",
        new="if time.time() - int(at) > _TOLERANCE:",
        tests="tests/unit/test_simulated.py tests/api/test_payment_webhooks.py",
    ),
    Fault(
        file="providers/simulated.py",
        place="verified",
        old='at.encode() + b"." + body',
        new="body",
        tests="tests/unit/test_simulated.py tests/api/test_payment_webhooks.py",
    ),
    Fault(
        file="providers/simulated.py",
        place="verified",
        old='if not hmac.compare_digest(expected.encode(), fields.get("v1", "").encode()):',
        new='if "v1" not in fields or not expected:',
        tests="tests/unit/test_simulated.py tests/api/test_payment_webhooks.py",
    ),
    Fault(
        file="api/auth.py",
        place="Authenticator.authenticate",
        old="or known is None:",
        new="and known is None:",
        tests="tests/api/test_credentials.py",
    ),
    Fault(
        file="api/auth.py",
        place="_live_key",
        old="col(ApiKey.revoked_at).is_(None)",
        new="col(ApiKey.id) > 0",
        tests="tests/api/test_credentials.py",
    ),
)
