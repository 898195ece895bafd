"""Every statement that writes a status makes permitted transitions only."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from models.enums import MessageStatus, PaymentStatus
from models.rules.billing import payments
from models.rules.messages import lifecycle as messages
from models.rules.registration import lifecycle as registration
from tests.unit.sql.orm_writes import OrmWrite, orm_writes
from tests.unit.sql.resolve import Origin
from tests.unit.sql.schema import ENUMS, RESOLVER
from tests.unit.sql.statements import Statement, modules, parse, statements
from tests.unit.sql.steps import Steps, steps_of, writes_in


def _table(starts: Iterable[str], steps: Mapping[Any, Iterable[str]]) -> Steps:
    """Return a transition table that includes rows that do not exist yet, or are NULL, as `""`."""
    return {"": frozenset(starts), **{word or "": frozenset(to) for word, to in steps.items()}}


ALLOWED: Final[dict[Origin, Steps]] = {
    Origin("message", "status"): _table(messages.STARTS, messages.STEPS),
    Origin("payment", "status"): _table(payments.STARTS, payments.STEPS),
    Origin("brand", "state"): _table(registration.STARTS, registration.REGISTRATION_STEPS),
    Origin("campaign", "state"): _table(registration.STARTS, registration.REGISTRATION_STEPS),
    Origin("messaging_number", "state"): _table(registration.STARTS, registration.NUMBER_STEPS),
    Origin("messaging_number", "assignment"): _table((), registration.ASSIGNMENT_STEPS),
}

DOORS: Final = {
    ("models.queries.billing.upgrades.payments", "_write"),
    ("models.queries.registration.registrations", "change_state"),
}
"""Functions that write through SQLAlchemy and make permitted transitions only; tested there."""

OTHER_SETATTR: Final = {
    ("api.http.bodies.body_size", "declare"),  # on a function
    ("api.services.tenants.merchants", "change_settings"),  # a merchant has no status
    ("api.services.webhooks.endpoints", "_change"),  # an endpoint has no status
}

SHOWN_ONLY: Final = {
    ("api.services.messages.views", "_past_view"),  # a message as it was; no session has the row
}

STARTS: Final = {
    "PaymentStatus.PENDING",
    "RegistrationState.DRAFT",
    "NumberState.REQUESTED",
}


def forbidden(words: str) -> set[tuple[str, str, str]]:
    """Return the forbidden transitions that a statement could make, by column."""
    found = set()
    for write in writes_in(parse(words), RESOLVER, frozenset(ALLOWED)):
        allowed = ALLOWED[write.target]
        for before, after in steps_of(write, RESOLVER, ENUMS[write.target]):
            if after not in allowed[before]:
                found.add((str(write.target), before, after))
    return found


@pytest.mark.parametrize("statement", statements(), ids=str)
def test_a_statement_takes_allowed_steps_only(statement: Statement) -> None:
    assert forbidden(statement.words) == set()


def test_the_statements_that_write_a_status_are_these() -> None:
    writers = {
        statement.name.removeprefix("models.queries.messages.")
        for statement in statements()
        if list(writes_in(statement.tree, RESOLVER, frozenset(ALLOWED)))
    }
    assert writers == {
        "acceptance._ACCEPT",
        "acceptance._METER",
        "batches.acceptance._INSERT",
        "batches.chunk_claims._CLAIM",
        "batches.chunk_conclusions._CONCLUDE",
        "batches.chunk_settlement._END",
        "conclude._CONCLUDE",
        "dispatch._CLAIM",
        "late_reports._CORRECT",
        "settlement._END",
    }


def test_together_they_take_every_step_of_a_message() -> None:
    taken = set()
    for statement in statements():
        for write in writes_in(statement.tree, RESOLVER, frozenset({Origin("message", "status")})):
            taken |= steps_of(write, RESOLVER, ENUMS[write.target])
    table = ALLOWED[Origin("message", "status")]
    drawn = {(before, after) for before, following in table.items() for after in following}
    assert drawn - taken == {("QUEUED", "SCHEDULED")}
    assert taken <= drawn


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ("UPDATE message SET status = 'SENT' WHERE status = 'QUEUED'", {("QUEUED", "SENT")}),
        (
            "UPDATE message m SET status = 'SENDING'"
            " WHERE m.status IN ('UNKNOWN', 'SENT', 'QUEUED')",
            {("UNKNOWN", "SENDING"), ("SENT", "SENDING")},
        ),
        (
            "WITH a AS (UPDATE message SET status = 'FAILED' WHERE 'DELIVERED' = status) SELECT 1",
            {("DELIVERED", "FAILED")},
        ),
        (
            "UPDATE message SET status = CASE status WHEN 'QUEUED' THEN 'SENT' ELSE status END",
            {("QUEUED", "SENT")},
        ),
        (
            "UPDATE message SET status = :status"
            " WHERE status = 'SENT' AND CAST(:status AS text) IN ('DELIVERED', 'QUEUED')",
            {("SENT", "QUEUED")},
        ),
        (
            "UPDATE message SET status = :status"
            " WHERE (status, :status) IN (('SENDING', 'SENT'), ('SENT', 'SENDING'))",
            {("SENT", "SENDING")},
        ),
        ("INSERT INTO message (id, status) VALUES (1, 'SENT')", {("", "SENT")}),
        (
            "INSERT INTO message AS m (id, status) VALUES (1, 'QUEUED') ON CONFLICT (id)"
            " DO UPDATE SET status = 'SENT' WHERE m.status = 'FAILED'",
            {("FAILED", "SENT")},
        ),
    ],
)
def test_a_forbidden_step_is_found(words: str, steps: set[tuple[str, str]]) -> None:
    assert forbidden(words) == {("message.status", *step) for step in steps}


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE message SET status = 'SENT'",
        "UPDATE message SET status = 'SENT' WHERE completed_at IS NULL",
        "UPDATE message SET status = 'SENT' WHERE status <> 'DELIVERED'",
        "UPDATE message SET status = 'SENT' WHERE status = 'SENDING' OR units = 1",
        "UPDATE message SET status = 'SENT' WHERE NOT status = 'SENDING'",
        # the status of another row, of an attempt, of an earlier version of the row
        "UPDATE message m SET status = 'SENT' FROM message o WHERE o.status = 'SENDING'",
        "UPDATE message SET status = 'SENT' FROM receipt r WHERE r.status = 'SENDING'",
        "WITH a AS (SELECT id FROM message WHERE status = 'SENDING')"
        " UPDATE message SET status = 'SENT' FROM a WHERE message.id = a.id",
        "UPDATE message SET status = 'SENT'"
        " WHERE EXISTS (SELECT 1 FROM message WHERE status = 'SENDING')",
        "UPDATE message SET status = :status WHERE status = 'SENDING'",
        "UPDATE message SET status = r.status FROM receipt r WHERE message.status = 'SENDING'",
        "UPDATE message SET (status, units) = ROW('SENT', 1) WHERE status = 'SENDING'",
        "INSERT INTO message (id, status) SELECT 1, :status",
        "INSERT INTO message (id, status) SELECT 1, status FROM receipt",
    ],
)
def test_a_step_that_is_not_determined_is_refused(words: str) -> None:
    assert forbidden(words)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("payment.status", "UPDATE payment SET status = 'PENDING' WHERE status = 'FAILED'"),
        ("brand.state", "UPDATE brand SET state = 'APPROVED' WHERE state = 'DRAFT'"),
        ("campaign.state", "UPDATE campaign SET state = 'DRAFT' WHERE state = 'APPROVED'"),
        (
            "messaging_number.assignment",
            "UPDATE messaging_number SET assignment = 'ASSIGNED' WHERE assignment = 'FAILED'",
        ),
    ],
)
def test_each_table_of_steps_is_used(column: str, words: str) -> None:
    assert {step[0] for step in forbidden(words)} == {column}


def test_sqlalchemy_writes_a_status_only_where_the_transition_is_checked() -> None:
    strays = []
    for module in modules():
        for write in orm_writes(Path(module.__file__ or "").read_text()):
            if (module.__name__, write.function) in SHOWN_ONLY:
                continue
            door = (module.__name__, write.function) in DOORS | OTHER_SETATTR
            if write.start not in STARTS and not (door and write.start is None):
                strays.append(f"{module.__name__}:{write.line}")
    assert strays == []


@pytest.mark.parametrize(
    ("code", "start"),
    [
        ("row.state = 'APPROVED'", None),
        ("row.reasons, row.state = [], 'APPROVED'", None),
        ("row.status += 'X'", None),
        ("setattr(row, name, 'APPROVED')", None),
        ("update(Payment).where(x).values(status='FAILED')", None),
        ("sqlalchemy.update(tables.Payment).values(changes)", None),
        ("insert(Payment).values(id=1).on_conflict_do_update(set_=changes)", None),
        ("insert(Payment).values(status=PaymentStatus.FAILED)", "PaymentStatus.FAILED"),
        ("insert(Payment).values(**changes)", "?"),
        ("Brand(state=RegistrationState.APPROVED)", "RegistrationState.APPROVED"),
        ("Brand(**values)", "?"),
    ],
)
def test_a_write_with_sqlalchemy_is_found(code: str, start: str | None) -> None:
    found = list(orm_writes(f"def door():\n    {code}"))
    assert OrmWrite("door", 2, start) in found
    assert all(write.start not in STARTS for write in found if write.start is not None)


def test_the_tables_of_steps_name_the_statuses_of_their_columns() -> None:
    assert set(MessageStatus) == set(messages.STEPS)
    assert set(PaymentStatus) == set(payments.STEPS)
    for column, steps in ALLOWED.items():
        assert set(steps) - {""} == ENUMS[column]
