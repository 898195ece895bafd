"""Faults in what is written to a mail relay, what its silence means, and in bounces."""

from typing import Final

from tests.mutants.fault import Fault

_ADAPTER: Final = "providers/smtp/messages.py"
_SESSIONS: Final = ("tests/smtp/test_sessions.py",)
_PHASES: Final = ("tests/smtp/test_phases.py",)
_REAL: Final = ("tests/smtp/test_real_relay.py",)
_BOUNCES: Final = ("tests/smtp/test_bounces.py",)

FAULTS: Final = (
    Fault(
        "a mail's content is written after its deadline",
        _ADAPTER,
        "Smtp._begin",
        "_check_deadline(not_after)\n        session.write_content",
        "session.write_content",
        _SESSIONS,
    ),
    Fault(
        "a relay that is silent after the content has taken nothing",
        _ADAPTER,
        "_finish",
        "return Ambiguous(reason=type(error).__name__)",
        "return NotProcessed(reason=type(error).__name__)",
        _PHASES,
    ),
    Fault(
        "a session of unknown state is used again",
        "providers/smtp/pool.py",
        "Pool.session",
        "if lease.reusable and",
        "if",
        _SESSIONS,
    ),
    Fault(
        "a relay without STARTTLS gets the password in plain text",
        "providers/smtp/session.py",
        "open_session",
        "if account.security is Security.STARTTLS:",
        'if account.security is Security.STARTTLS and client.supports_extension("starttls"):',
        _SESSIONS,
    ),
    Fault(
        "a line with a leading dot loses it",
        "providers/smtp/mime.py",
        "build_mail",
        '_LEADING_DOT.sub(b"..", message)',
        "message",
        _REAL,
    ),
    Fault(
        "a second From may be added to a signed mail",
        "providers/smtp/mime.py",
        "_signature",
        "list(_SIGNED_AGAIN)",
        "[]",
        _REAL,
    ),
    Fault(
        "anybody can make up a bounce",
        "providers/smtp/verp.py",
        "BounceAddresses.read",
        "if not hmac.compare_digest(self._mac(packed), mac):",
        "if False:",
        _BOUNCES,
    ),
    Fault(
        "a dead mailbox suppresses whoever forwards to it",
        "providers/smtp/bounces.py",
        "_is_dead",
        " and not forwarded",
        "",
        _BOUNCES,
    ),
    Fault(
        "one bounce of several recipients changes nothing of what ended as SENT",
        "models/rules/messages/settlement.py",
        "correction",
        "end = _end_by_failure(facts)",
        "end = None",
        ("tests/unit/messages/test_settlement.py",),
    ),
)
