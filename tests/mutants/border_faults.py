"""Faults in who may see what, whose word is believed, and whether it was said before."""

from typing import Final

from tests.mutants.fault import Fault

_READABLE: Final = "api/services/readable.py"
_SCOPES: Final = ("tests/api/tenants/test_scopes.py",)
_SIGNED: Final = ("tests/unit/providers/test_simulated_signatures.py",)
_TWILIO: Final = ("tests/vendors/test_inbound.py",)


def _of_another_merchant(function: str, table: str) -> Fault:
    return Fault(
        f"{function} shows a sibling's rows",
        _READABLE,
        function,
        f"    if caller.merchant_id is not None:\n"
        f"        statement = statement.where(col({table}) == caller.merchant_id)\n",
        "",
        _SCOPES,
    )


def _of_another_tenant(function: str, table: str) -> Fault:
    return Fault(
        f"{function} shows another tenant's rows",
        _READABLE,
        function,
        f"col({table}.tenant_id) == caller.tenant_id",
        f"col({table}.tenant_id) > 0",
        _SCOPES,
    )


def _under_another_name(function: str, table: str) -> Fault:
    return Fault(
        f"{function} shows the rows of every merchant of the tenant",
        _READABLE,
        function,
        f"        col({table}.merchant_id) == merchant.id,\n",
        "",
        _SCOPES,
    )


FAULTS: Final = (
    _of_another_merchant("readable_merchants", "Merchant.id"),
    _of_another_merchant("readable_consents", "Consent.merchant_id"),
    _of_another_merchant("readable_messages", "Message.merchant_id"),
    _of_another_merchant("readable_voice_users", "VoiceCredential.merchant_id"),
    _of_another_merchant("readable_alerts", "Alert.merchant_id"),
    _of_another_merchant("readable_payments", "Payment.merchant_id"),
    _of_another_tenant("readable_merchants", "Merchant"),
    _under_another_name("readable_brands", "Brand"),
    _under_another_name("readable_campaigns", "Campaign"),
    _under_another_name("readable_numbers", "MessagingNumber"),
    Fault(
        "the ledger of one merchant is that of all",
        "api/services/billing/upgrades.py",
        "Billing.list_ledger",
        "col(LedgerEntry.merchant_id) == merchant.id,",
        "",
        _SCOPES,
    ),
    Fault(
        "a report of usage is the tenant's for every key",
        "api/services/billing/usage_reports.py",
        "_whose",
        "return caller.merchant_id",
        "return None",
        _SCOPES,
    ),
    Fault(
        "a merchant's key may write merchants",
        "api/services/tenants/merchants.py",
        "Merchants.upsert",
        "if caller.merchant_id is not None:",
        "if caller.merchant_id == 0:",
        _SCOPES,
    ),
    Fault(
        "a key of the simulator's signature never grows old",
        "providers/simulator/messages.py",
        "verified",
        "abs(time.time() - int(at)) > _TOLERANCE",
        "time.time() - int(at) > 86_400 * _TOLERANCE",
        _SIGNED,
    ),
    Fault(
        "a signature of the future is believed",
        "providers/simulator/messages.py",
        "verified",
        "abs(time.time() - int(at))",
        "time.time() - int(at)",
        _SIGNED,
    ),
    Fault(
        "a signature does not cover its time",
        "providers/simulator/messages.py",
        "verified",
        'at.encode() + b"." + body',
        'b"." + body',
        _SIGNED,
    ),
    Fault(
        "a wrong signature is believed",
        "providers/simulator/messages.py",
        "verified",
        "if not hmac.compare_digest(",
        "if at and hmac.compare_digest(b'', b'x') and not hmac.compare_digest(",
        _SIGNED,
    ),
    Fault(
        "a form that Twilio did not sign is believed",
        "providers/twilio/inbound.py",
        "inbound_verifier",
        "if not any(right):",
        "if not right:",
        _TWILIO,
    ),
    Fault(
        "a signature of Twilio's does not cover the values",
        "providers/twilio/inbound.py",
        "signature",
        "name + value for name",
        "name for name",
        _TWILIO,
    ),
    Fault(
        "a link of nobody's is believed",
        "api/services/messages/permission.py",
        "UnsubscribeLinks.read",
        "return named if good else None",
        "return named",
        ("tests/inbound/test_unsubscribing.py",),
    ),
    Fault(
        "a link of one merchant opts out of another",
        "api/services/messages/permission.py",
        "UnsubscribeLinks.token",
        "{tenant_id}\\x1f{merchant_id}\\x1f{contact_key}",
        "{tenant_id}\\x1f{contact_key}",
        ("tests/inbound/test_unsubscribing.py",),
    ),
    Fault(
        "a report is believed under another address",
        "api/services/provider_webhooks.py",
        "verified",
        'raise Forbidden("It belongs to another address.")',
        "pass",
        ("tests/api/billing/test_payment_webhooks.py",),
    ),
    Fault(
        "a key is known without its secret",
        "api/http/auth.py",
        "Authenticator.authenticate",
        'not same_hash(secret_hash, known.secret_hash if known else "") or known is None',
        "known is None",
        ("tests/api/tenants/test_credentials.py",),
    ),
    Fault(
        "a revoked key is known for ever",
        "api/http/auth.py",
        "_live_key",
        ", col(ApiKey.revoked_at).is_(None)",
        "",
        ("tests/api/tenants/test_credentials.py",),
    ),
    Fault(
        "one key is another request's",
        "api/http/idempotency.py",
        "find_answer",
        "record.fingerprint != request.fingerprint",
        'record.fingerprint == ""',
        ("tests/api/http/test_idempotency.py",),
    ),
    Fault(
        "two requests of one key act at once",
        "api/http/idempotency.py",
        "_LOCK",
        "pg_advisory_xact_lock(hashtextextended(:name, 0))",
        "hashtextextended(:name, 0)",
        ("tests/api/http/test_idempotency.py",),
    ),
    Fault(
        "a merchant's key and the tenant's share their Idempotency-Keys",
        "api/http/idempotency.py",
        "identify",
        "str(caller.merchant_id)",
        '""',
        ("tests/api/http/test_idempotency.py",),
    ),
    Fault(
        "an address in capitals is another contact",
        "models/rules/consent/contacts.py",
        "merged_contact",
        ".casefold())",
        ")",
        ("tests/unit/consent/test_contacts.py",),
    ),
)
