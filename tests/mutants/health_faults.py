"""Faults in the health of provider accounts."""

from typing import Final

from tests.mutants.fault import Fault

_RULES: Final = "models/rules/accounts/circuit.py"
_QUERIES: Final = "models/queries/accounts/health.py"
_CIRCUITS: Final = "models/queries/accounts/circuits.py"
_HEALTH: Final = "activities/messages/account_health.py"
_EVIDENCE: Final = "activities/messages/account_evidence.py"

_UNIT: Final = ("tests/unit/accounts/test_circuit.py",)
_SHARED: Final = ("tests/health/test_sharing.py",)
_CLAIMS: Final = ("tests/health/test_claims.py",)

FAULTS: Final = (
    Fault(
        "more than half of the attempts must fail",
        _RULES,
        "_has",
        "tally.failures * 2 >= tally.attempts",
        "tally.failures * 2 > tally.attempts",
        _UNIT,
    ),
    Fault(
        "19 attempts open a circuit",
        _RULES,
        "_fault",
        "tally.attempts < LEAST_ATTEMPTS",
        "tally.attempts < LEAST_ATTEMPTS - 1",
        _UNIT,
    ),
    Fault(
        "5 % of slow calls open a circuit",
        _RULES,
        "_has",
        "tally.slow * _SLOW_AT_MOST > tally.attempts",
        "tally.slow * _SLOW_AT_MOST >= tally.attempts",
        _UNIT,
    ),
    Fault(
        "one tenant's failures hold back all tenants",
        _RULES,
        "judged",
        "else _lone_group(counted, reason)",
        "else None",
        _CLAIMS,
    ),
    Fault(
        "the gap after a failed probe does not grow",
        _RULES,
        "opened",
        "openings = circuit.openings + 1 if recent else 1",
        "openings = 1",
        _UNIT,
    ),
    Fault(
        "a half-open circuit lets every message through",
        _CIRCUITS,
        "_TAKE_PROBE",
        "AND (probe_until IS NULL OR probe_until <= clock_timestamp())",
        "",
        _CLAIMS,
    ),
    Fault(
        "a circuit is changed whatever another worker has made of it",
        _CIRCUITS,
        "_CHANGE",
        "WHERE c.version = :version",
        "WHERE TRUE",
        _CLAIMS,
    ),
    Fault(
        "evidence from before a circuit closed opens it again",
        _QUERIES,
        "_SETTLE",
        "AND (c.closed_at IS NULL OR r.bucket > c.closed_at)",
        "",
        _CLAIMS,
    ),
    Fault(
        "a worker judges by what it stored alone",
        _QUERIES,
        "_SETTLE",
        "RETURNING h.account, h.bucket, h.tenant_group, h.attempts, h.failures, h.slow",
        "RETURNING h.account, h.bucket, h.tenant_group, 1 AS attempts, 1 AS failures, 0 AS slow",
        _SHARED,
    ),
    Fault(
        "what an outage of Postgres kept back is lost",
        _HEALTH,
        "AccountHealth.settle",
        "self._pending = stored\n",
        "pass\n",
        _SHARED,
    ),
    Fault(
        "a refused sender counts against the account",
        _EVIDENCE,
        "Call.failed",
        "return not self.answer.sender_fault",
        "return True",
        _SHARED,
    ),
    Fault(
        "the simulator has a circuit",
        _HEALTH,
        "AccountHealth.record",
        "if account in self._exempt:",
        "if account in ():",
        _SHARED,
    ),
    Fault(
        "a message waits for an account beyond its expiry",
        "activities/messages/account_choice.py",
        "choose_account",
        "until = min([*awaited, *filter(None, [found.candidate.expires_at])])",
        "until = min(awaited)",
        _CLAIMS,
    ),
    Fault(
        "a failing account is tried at once while the other is unavailable",
        "activities/messages/account_choice.py",
        "may_another_follow",
        "if provider.account in unavailable:",
        "if provider.account in ():",
        _CLAIMS,
    ),
    Fault(
        "the sharing of health waits for the claim of a probe",
        _QUERIES,
        "_SETTLE",
        "FOR NO KEY UPDATE OF c SKIP LOCKED",
        "FOR NO KEY UPDATE OF c",
        _SHARED,
    ),
    Fault(
        "a text to a listed number comes from any account",
        "models/queries/consent/inbound_numbers.py",
        "KnownNumber.is_received_by",
        "if listed_by and account not in {SANDBOX, *listed_by}:",
        "if account in ():",
        ("tests/inbound/test_other_account.py",),
    ),
    Fault(
        "totals of the last 400 days are deleted",
        "models/queries/accounts/expired_spending.py",
        "_DELETE_EXPIRED",
        "WHERE day < CAST(:before AS date)",
        "WHERE day <= CAST(:before AS date)",
        ("tests/spending/test_expiry.py",),
    ),
)
