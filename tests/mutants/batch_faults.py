"""Faults in sending and settling chunks of a batch."""

from typing import Final

from tests.mutants.fault import Fault

_CLAIMS: Final = "models/queries/messages/batches/chunk_claims.py"
_CONCLUSIONS: Final = "models/queries/messages/batches/chunk_conclusions.py"
_MEMBERS: Final = "models/queries/messages/batches/chunk_members.py"
_SETTLEMENT: Final = "models/queries/messages/batches/chunk_settlement.py"
_PLAIN: Final = "activities/messages/batches/plain_claims.py"

_DISPATCH: Final = ("tests/batches/sending/test_dispatching_chunks.py",)
_OPTING_OUT: Final = ("tests/batches/sending/test_opting_out.py",)
_PLAINLY: Final = ("tests/batches/sending/test_plain_members.py",)
_SETTLE: Final = ("tests/batches/sending/test_settling_chunks.py",)
_SPENDING: Final = ("tests/batches/sending/test_spending_of_chunks.py",)
_KILLED: Final = ("tests/batches/sending/test_killed_chunks.py",)

FAULTS: Final = (
    Fault(
        "a chunk does not lock the consent of its members",
        _CLAIMS,
        "_LOCK",
        "SELECT pg_advisory_xact_lock_shared(contact) FROM wanted",
        "SELECT contact FROM wanted",
        _OPTING_OUT,
    ),
    Fault(
        "a chunk claims what another run claimed",
        _CLAIMS,
        "_LOCK",
        "AND completed_at IS NULL AND attempts = 0",
        "AND completed_at IS NULL",
        _DISPATCH,
    ),
    Fault(
        "a chunk forgets which answer was lost",
        "activities/messages/batches/dispatch_chunk.py",
        "ChunkDispatching._leave_unanswered",
        "members.unanswered",
        "[]",
        _DISPATCH,
    ),
    Fault(
        "a report of a member that left signals nothing",
        _MEMBERS,
        "_RELEASE_REPORTS",
        "UPDATE attempt SET report_wait_until = NULL",
        "UPDATE attempt SET report_wait_until = attempt.report_wait_until",
        _SETTLE,
    ),
    Fault(
        "a late answer silences the reports of a member that left",
        _CONCLUSIONS,
        "_CONCLUDE",
        "AND decided.report_wait_until IS NOT NULL",
        "",
        _DISPATCH,
    ),
    Fault(
        "a paced sender is not paced in a chunk",
        _PLAIN,
        "_is_plain",
        "found.pace is None and ",
        "",
        _PLAINLY,
    ),
    Fault(
        "spending is not reserved in a chunk",
        "activities/messages/batches/claim_chunk.py",
        "ChunkClaiming._commit",
        "await chunk_spending.reserve(db, chosen)",
        "",
        _SPENDING,
    ),
    Fault(
        "members of a chunk do not count each other's cost",
        "models/queries/accounts/spending_of_several.py",
        "_fits",
        "already + before",
        "already",
        _SPENDING,
    ),
    Fault(
        "a chunk takes all calls of an account",
        "activities/messages/provider_slots.py",
        "Slots.most_of_chunks",
        "self._most // 2",
        "self._most",
        _DISPATCH,
    ),
    Fault(
        "members that end together release credits once",
        _SETTLEMENT,
        "_END",
        "available = available + month.n * :released_credits",
        "available = available + :released_credits",
        _SETTLE,
    ),
    Fault(
        "the balance of a chunk's entries is the last one",
        _SETTLEMENT,
        "_END",
        "account.available - (account.n - turns.turn + p.before) * :released_credits",
        "account.available",
        _SETTLE,
    ),
    Fault(
        "a day counts the members of a chunk as one message",
        "models/queries/billing/usage_posting.py",
        "USED_BY_SEVERAL",
        'messages="excluded.messages"',
        'messages="1"',
        _SETTLE,
    ),
)
