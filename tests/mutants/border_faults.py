"""Faults in authorization, authentication and idempotency."""

from typing import Final

from tests.mutants.fault import Fault

_VISIBILITY: Final = "models/queries/tenants/visibility.py"
_SCOPES: Final = ("tests/api/tenants/test_scopes.py",)
_SIGNED: Final = ("tests/unit/providers/test_simulated_signatures.py",)
_TWILIO: Final = ("tests/vendors/test_inbound.py",)


def _of_another_merchant(function: str, table: str, column: str = "merchant_id") -> Fault:
    columns = f"{table}.tenant_id, {table}.{column})"
    return Fault(
        f"{function} shows a sibling's rows",
        _VISIBILITY,
        function,
        f"scope, {columns}",
        f"CallerScope(tenant_id=scope.tenant_id, merchant_id=None), {columns}",
        _SCOPES,
    )


def _under_another_name(function: str, table: str) -> Fault:
    return Fault(
        f"{function} shows the rows of every merchant of the tenant",
        _VISIBILITY,
        function,
        f"        col({table}.merchant_id) == scope.merchant_id,\n",
        "",
        _SCOPES,
    )


FAULTS: Final = (
    _of_another_merchant("visible_merchants", "Merchant", "id"),
    _of_another_merchant("visible_consents", "Consent"),
    _of_another_merchant("visible_messages", "Message"),
    _of_another_merchant("visible_voice_users", "VoiceCredential"),
    _of_another_merchant("visible_alerts", "Alert"),
    _of_another_merchant("visible_payments", "Payment"),
    Fault(
        "another tenant's rows are shown",
        _VISIBILITY,
        "_visible",
        "col(tenant_id) == scope.tenant_id",
        "col(tenant_id) > 0",
        _SCOPES,
    ),
    _under_another_name("visible_brands", "Brand"),
    _under_another_name("visible_campaigns", "Campaign"),
    _under_another_name("visible_numbers", "MessagingNumber"),
    Fault(
        "a list shows the rows of every merchant although one is named",
        _VISIBILITY,
        "narrow_scope",
        "merchant_id=row_id(merchant.id)",
        "merchant_id=scope.merchant_id",
        _SCOPES,
    ),
    Fault(
        "the ledger of one merchant is that of all",
        "api/services/billing/upgrades.py",
        "Billing.list_ledger",
        "await narrow_scope(db, caller, merchant_id)",
        "caller",
        _SCOPES,
    ),
    Fault(
        "a report of usage is the tenant's for every key",
        "api/services/billing/usage_reports.py",
        "Reports.usage",
        "await narrow_scope(db, caller, wanted.merchant_id)",
        "CallerScope(tenant_id=caller.tenant_id, merchant_id=None)",
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
        "providers/twilio/signatures.py",
        "signed_form",
        "if not any(right):",
        "if not right:",
        _TWILIO,
    ),
    Fault(
        "a signature of Twilio's does not cover the values",
        "providers/twilio/signatures.py",
        "signature",
        "name + value for name",
        "name for name",
        _TWILIO,
    ),
    Fault(
        "a link of nobody's is believed",
        "api/services/messages/permission.py",
        "UnsubscribeLinks.read",
        "return signed if good else None",
        "return signed",
        ("tests/inbound/test_unsubscribing.py",),
    ),
    Fault(
        "a link of one merchant opts out of another",
        "api/services/messages/permission.py",
        "UnsubscribeLinks.token",
        "{tenant}\\x1f{merchant}\\x1f{contact_key}",
        "{tenant}\\x1f{contact_key}",
        ("tests/inbound/test_unsubscribing.py",),
    ),
    Fault(
        "a report is believed under another address",
        "api/services/verify_webhook.py",
        "verified_events",
        'raise Forbidden("The report belongs to another reference than that in the address.")',
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
        "models/queries/tenants/api_keys.py",
        "find_live_key",
        ", col(ApiKey.revoked_at).is_(None)",
        "",
        ("tests/api/tenants/test_credentials.py",),
    ),
    Fault(
        "one key is another request's",
        "api/http/idempotency.py",
        "IdempotentRequest",
        "fingerprint != self.fingerprint",
        'fingerprint == ""',
        ("tests/api/http/test_idempotency.py",),
    ),
    Fault(
        "two requests of one key act at once",
        "models/queries/tenants/idempotency_records.py",
        "_LOCK",
        "pg_advisory_xact_lock(hashtextextended(:name, 0))",
        "hashtextextended(:name, 0)",
        ("tests/api/http/test_idempotency.py",),
    ),
    Fault(
        "a merchant's key and the tenant's share their Idempotency-Keys",
        "api/http/idempotency.py",
        "identify",
        "str(caller.merchant_public_id)",
        '""',
        ("tests/api/http/test_idempotency.py",),
    ),
    Fault(
        "an address in capitals is another contact",
        "models/rules/consent/contacts.py",
        "_merged_address",
        "local.translate(_ASCII_LOWER)",
        "local",
        ("tests/unit/consent/test_contacts.py",),
    ),
    Fault(
        "a text that Twilio has answered is answered again",
        "api/services/consent/inbound_texts.py",
        "Inbox._obey",
        "if talk.text.answered or not",
        "if not",
        ("tests/inbound/test_answered_by_the_vendor.py",),
    ),
    Fault(
        "an expired SMS stays in Twilio's queue",
        "providers/twilio/messages.py",
        "TwilioSms._validity",
        "min(valid_until - self._clock(), LONGEST_VALIDITY)",
        "LONGEST_VALIDITY",
        ("tests/vendors/test_sms_sending.py",),
    ),
    Fault(
        "an older SMS is taken for one whose answer was lost",
        "providers/twilio/messages.py",
        "TwilioSms._listed",
        "if since <= created",
        "if created",
        ("tests/vendors/test_sms_look_up.py",),
    ),
    Fault(
        "an unclear response of Twilio's is a refusal",
        "providers/twilio/message_codes.py",
        "answer_of",
        "if status in _CERTAIN and type(code)",
        "if type(code)",
        ("tests/vendors/test_sms_sending.py",),
    ),
    Fault(
        "a fault of the account at Twilio fails a message",
        "providers/twilio/message_codes.py",
        "_not_accepted",
        "code in ACCOUNT_FAULTS or status in",
        "status in",
        ("tests/vendors/test_sms_sending.py",),
    ),
)
