"""Faults in accepting a send: its key, its hold, its policy and its validity."""

from typing import Final

from tests.mutants.fault import Fault

_RACES: Final = "tests/ledger/test_races.py"
_REPLAYS: Final = "tests/api/test_replayed_sends.py"
_KEYS: Final = "tests/api/test_idempotency.py"
_HISTORIES: Final = "tests/ledger/test_histories.py"

ACCEPTING: Final = (
    Fault(
        file="models/queries/acceptance.py",
        place="_ACCEPT",
        old="AND NOT EXISTS (SELECT 1 FROM taken)",
        new="",
        tests=f"{_RACES} {_REPLAYS}",
    ),
    Fault(
        file="models/queries/acceptance.py",
        place="_ACCEPT",
        old="AND ca.available >= :units - month.drawn",
        new="AND ca.available >= 0",
        tests=_RACES,
    ),
    Fault(
        file="models/queries/acceptance.py",
        place="_ACCEPT",
        old="(SELECT units FROM allowed) - am.used - am.held, 0",
        new="(SELECT units FROM allowed) - am.used, 0",
        tests=f"{_RACES} {_HISTORIES}",
    ),
    Fault(
        file="models/queries/acceptance.py",
        place="_ACCEPT",
        old="held = ca.held + (:units - month.drawn)",
        new="held = ca.held",
        tests=f"{_RACES} {_HISTORIES}",
    ),
    Fault(
        file="models/queries/acceptance.py",
        place="_FURTHER",
        old="SELECT :tenant_id, key, :message_id",
        new="SELECT :tenant_id, upper(key), :message_id",
        tests="tests/api/test_email.py tests/ledger/test_schema.py",
    ),
    Fault(
        file="models/queries/acceptance.py",
        place="accept",
        old="return KeyTaken(written=True)",
        new="return KeyTaken(written=False)",
        tests=f"{_RACES} {_REPLAYS}",
    ),
    Fault(
        file="api/services/sending.py",
        place="Sending._known",
        old="if known.fingerprint != request.fingerprint:",
        new="if False:",
        tests=_REPLAYS,
    ),
    Fault(
        file="api/services/sending.py",
        place="Sending._known",
        old="scope=request.scope,\n                key=",
        new='scope="",\n                key=',
        tests=f"{_REPLAYS} {_KEYS} tests/api/test_messages.py",
    ),
    Fault(
        file="api/services/sending.py",
        place="Sending._permitted",
        old="expiry(draft.type, wanted_at, draft.valid_for)",
        new="expiry(draft.type, now, draft.valid_for)",
        tests="tests/api/test_messages.py tests/api/test_quiet_hours.py",
    ),
    Fault(
        file="api/services/sending.py",
        place="due_at",
        old="if send_at > now + FARTHEST:",
        new="if send_at > now + 2 * FARTHEST:",
        tests="tests/api/test_messages.py tests/api/test_canceling.py",
    ),
    Fault(
        file="api/idempotency.py",
        place="identify",
        old='scope="" if caller.merchant_id is None else str(caller.merchant_id)',
        new='scope=""',
        tests=_KEYS,
    ),
    Fault(
        file="api/idempotency.py",
        place="identify",
        old='operation=f"{request.method} {template_of(request.scope)}"',
        new='operation="POST"',
        tests=_KEYS,
    ),
    Fault(
        file="api/idempotency.py",
        place="read_key",
        old="if len(given) > 1 or not",
        new="if not",
        tests=_KEYS,
    ),
    Fault(
        file="api/idempotency.py",
        place="find_answer",
        old="if record.fingerprint != request.fingerprint:",
        new="if False:",
        tests=_KEYS,
    ),
    Fault(
        file="api/idempotency.py",
        place="find_answer",
        old='await db.execute(_LOCK, {"name": name, "patience": f"{KEY_WAIT.total_seconds()}s"})',
        new="del name",
        tests=_KEYS,
    ),
    Fault(
        file="models/rules/validity.py",
        place="expiry",
        old="if message_type is MessageType.OTP else None",
        new="if message_type is not None else None",
        tests="tests/unit/test_small_rules.py",
    ),
    Fault(
        file="models/rules/consent.py",
        place="consent_forbids",
        old="if consent is ConsentStatus.OPT_OUT:",
        new="if consent is ConsentStatus.OPT_OUT and message_type is not MessageType.OTP:",
        tests="tests/unit/test_small_rules.py tests/unit/test_dispatching.py",
    ),
    Fault(
        file="models/rules/consent.py",
        place="consent_forbids",
        old="consent is not ConsentStatus.OPT_IN",
        new="consent is ConsentStatus.OPT_OUT",
        tests="tests/unit/test_small_rules.py tests/unit/test_dispatching.py",
    ),
    Fault(
        file="models/rules/contacts.py",
        place="contact_key",
        old='f"{local}{at}{domain}".casefold()',
        new='f"{local}{at}{domain}"',
        tests="tests/unit/test_contacts.py",
    ),
    Fault(
        file="models/rules/segments.py",
        place="segment",
        old="if count > MOST_SEGMENTS:",
        new="if count > MOST_SEGMENTS + 1:",
        tests="tests/unit/test_segments.py",
    ),
    Fault(
        file="models/rules/quiet_hours.py",
        place="Window.admits",
        old="< self.closes",
        new="<= self.closes",
        tests="tests/unit/test_quiet_hours.py",
    ),
    Fault(
        file="models/rules/quiet_hours.py",
        place="narrowed",
        old="max(base.opens, opens or base.opens)",
        new="opens or base.opens",
        tests="tests/unit/test_quiet_hours.py",
    ),
    Fault(
        file="models/rules/quiet_hours.py",
        place="next_allowed",
        old="following = max(",
        new="following = min(",
        tests="tests/unit/test_quiet_hours.py",
    ),
)
