"""Faults in dispatch, reconcile, delivery reports, opt-out and the pace of a sender."""

from typing import Final

from tests.mutants.fault import Fault

_DISPATCH: Final = "tests/activities/test_dispatch.py"
_DECIDING: Final = "tests/unit/test_dispatching.py"
_RECONCILE: Final = "tests/activities/test_truth.py"
_OPT_OUT: Final = "tests/inbound/test_the_sixth_law.py tests/activities/test_opting_out.py"
_REPORTS: Final = "tests/activities/test_truth.py tests/activities/test_settle.py"

DELIVERING: Final = (
    Fault(
        file="models/rules/dispatching.py",
        place="_under_way",
        old="if any(state in OPEN_ATTEMPT for state in candidate.attempts):",
        new="if candidate.attempts and candidate.attempts[-1] in OPEN_ATTEMPT:",
        tests=f"{_DECIDING} {_DISPATCH}",
    ),
    Fault(
        file="models/rules/dispatching.py",
        place="_under_way",
        old="if candidate.told:",
        new="if False:",
        tests=f"{_DECIDING} {_DISPATCH}",
    ),
    Fault(
        file="models/rules/dispatching.py",
        place="_too_late",
        old="now >= candidate.expires_at",
        new="now > candidate.expires_at",
        tests=_DECIDING,
    ),
    Fault(
        file="models/rules/dispatching.py",
        place="_forbidden",
        old="if not candidate.sender_fits:\n        return _no_sender()\n    return",
        new="return",
        tests=f"{_DECIDING} tests/senders/test_dispatch.py",
    ),
    Fault(
        file="models/rules/dispatching.py",
        place="_after_absences",
        old="if absent < 2 or",
        new="if absent < 20 or",
        tests=_DECIDING,
    ),
    Fault(
        file="models/rules/dispatching.py",
        place="_in_daytime",
        old="return Decision(move=Move.WAIT, until=allowed) if allowed > now else None",
        new="return None",
        tests=f"{_DECIDING} tests/unit/test_quiet_hours.py",
    ),
    Fault(
        file="models/queries/dispatching.py",
        place="_LOCK",
        old="pg_advisory_xact_lock_shared({CONTACT_LOCK})",
        new="1",
        tests=_OPT_OUT,
    ),
    Fault(
        file="models/queries/dispatching.py",
        place="_LOCK",
        old="FOR NO KEY UPDATE",
        new="",
        tests=_DISPATCH,
    ),
    Fault(
        file="models/queries/dispatching.py",
        place="lock_for_dispatch",
        old="*(contact_key(channel, to) for to in locked.further or ())",
        new="",
        tests="tests/activities tests/inbound",
    ),
    Fault(
        file="models/queries/dispatching.py",
        place="lock_for_dispatch",
        old="await lock_contact(db, tenant_id, locked.merchant_id, channel, key, shared=True)",
        new="pass",
        tests="tests/activities tests/inbound",
    ),
    Fault(
        file="models/queries/dispatching.py",
        place="_READ",
        old="AND (s.merchant_id = m.merchant_id OR m.merchant_id IS NULL)",
        new="AND s.merchant_id = m.merchant_id",
        tests="tests/activities tests/inbound tests/e2e/test_email_rows.py",
    ),
    Fault(
        file="models/queries/dispatching.py",
        place="_READ",
        old="AND c.channel = m.channel",
        new="",
        tests="tests/activities tests/inbound",
    ),
    Fault(
        file="models/queries/concluding.py",
        place="_CONCLUDE",
        old="WHEN CAST(:state AS text) IN ('AMBIGUOUS', 'ABSENT') THEN 'ACCEPTED'",
        new="WHEN FALSE THEN 'ACCEPTED'",
        tests=f"{_DISPATCH} {_RECONCILE}",
    ),
    Fault(
        file="models/queries/concluding.py",
        place="_CONCLUDE",
        old="AND held.state IN ('REQUESTED', 'AMBIGUOUS')",
        new="",
        tests=f"{_DISPATCH} {_RECONCILE}",
    ),
    Fault(
        file="models/queries/concluding.py",
        place="_CONCLUDE",
        old="AND NOT told.reported\n",
        new="\n",
        tests="tests/activities/test_attending.py",
    ),
    Fault(
        file="activities/dispatch/dispatching.py",
        place="Dispatching._claim",
        old="deadline=now + wait + provider.timeout + _MARGIN",
        new="deadline=now + wait + _MARGIN",
        tests=_DISPATCH,
    ),
    Fault(
        file="activities/dispatch/dispatching.py",
        place="Dispatching._after_refusal",
        old="answer.everywhere or self._following",
        new="self._following",
        tests=_DISPATCH,
    ),
    Fault(
        file="activities/dispatch/dispatching.py",
        place="Dispatching._conclude",
        old="await self._suppress(db, step, claimed)",
        new="pass",
        tests="tests/activities tests/inbound/test_suppressing.py",
    ),
    Fault(
        file="activities/reconcile.py",
        place="Truth._absence_is_sure",
        old="attempt.deadline + provider.absence_window",
        new="attempt.deadline",
        tests=_RECONCILE,
    ),
    Fault(
        file="activities/reconcile.py",
        place="Truth._absence_is_sure",
        old="if provider is None or provider.proof is Proof.NONE:",
        new="if provider is None:",
        tests=_RECONCILE,
    ),
    Fault(
        file="activities/reconcile.py",
        place="Truth.reconcile",
        old="if concluded.state is AttemptState.ABSENT:",
        new="if True:",
        tests=_RECONCILE,
    ),
    Fault(
        file="activities/reconcile.py",
        place="Truth.reconcile",
        old="asked_at = datetime.now(UTC)\n        concluded",
        new="asked_at = datetime.max.replace(tzinfo=UTC)\n        concluded",
        tests=_RECONCILE,
    ),
    Fault(
        file="models/queries/receipts.py",
        place="_STORE",
        old="WHEN a.provider <> :provider THEN 'PROVIDER'\n                    WHEN m.channel",
        new="WHEN m.channel",
        tests=_REPORTS,
    ),
    Fault(
        file="models/queries/receipts.py",
        place="_STORE",
        old="FOR NO KEY UPDATE OF a",
        new="",
        tests="tests/activities",
    ),
    Fault(
        file="models/queries/receipts.py",
        place="_STORE",
        old="AND receipt.message_id = excluded.message_id",
        new="",
        tests="tests/activities tests/reports",
    ),
    Fault(
        file="models/queries/receipts.py",
        place="store",
        old="if row.fresh and receipt.suppresses is not None:",
        new="if receipt.suppresses is not None:",
        tests="tests/inbound/test_suppressing.py",
    ),
    Fault(
        file="models/queries/receipts.py",
        place="_ASKABLE",
        old="a.state IN ('REQUESTED', 'AMBIGUOUS') DESC, ",
        new="",
        tests=_RECONCILE,
    ),
    Fault(
        file="models/queries/suppression.py",
        place="suppress",
        old="if channel is Channel.EMAIL and merchant_id != 0:",
        new="if False:",
        tests="tests/inbound",
    ),
    Fault(
        file="models/queries/suppression.py",
        place="suppress",
        old="await lock_contact(db, tenant_id, merchant_id, channel, contact_key, shared=False)\n"
        "    if",
        new="if",
        tests="tests/inbound",
    ),
    Fault(
        file="models/rules/inbound.py",
        place="kind_of",
        old='.get(" ".join(spaced.split()), InboundKind.OTHER)',
        new=".get(text.casefold(), InboundKind.OTHER)",
        tests="tests/inbound/test_words.py",
    ),
    Fault(
        file="models/rules/pacing.py",
        place="fresh",
        old="now <= place.granted_at + LATE",
        new="now >= place.granted_at",
        tests="tests/pacing/test_pacing_rules.py",
    ),
    Fault(
        file="models/rules/pacing.py",
        place="Lane.next_moment",
        old="max(self.free_at, self.now)",
        new="self.now",
        tests="tests/pacing/test_pacing_rules.py",
    ),
)
