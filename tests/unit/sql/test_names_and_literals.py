"""Tables, columns and literals in SQL text exist in the tables and their enums."""

import re

import pytest

from models.enums import AttemptState, MessageStatus
from tests.unit.sql.resolve import Origin
from tests.unit.sql.schema import CHECKER, ENUMS
from tests.unit.sql.statements import (
    Statement,
    calls_of_text,
    modules,
    parse,
    statements,
    texts_in,
)

BUILT = {("models.queries.billing.usage", "_totals"), ("models.queries.billing.usage", "_lines")}
"""Functions that build statements; a mapping of their module stores all of them."""


@pytest.mark.parametrize("statement", statements(), ids=str)
def test_names_and_literals_exist(statement: Statement) -> None:
    assert list(CHECKER.faults(statement.tree)) == []


def test_every_statement_is_found() -> None:
    missed = []
    for module in modules():
        kept = {name.partition("[")[0] for name, _ in texts_in(module)}
        for call in calls_of_text(module):
            if call.name not in kept and (module.__name__, call.name) not in BUILT:
                missed.append(f"{module.__name__}:{call.line}")
    assert missed == []
    assert len(statements()) > 130


def test_enums_are_read_from_the_tables() -> None:
    assert ENUMS[Origin("message", "status")] == set(MessageStatus)
    assert ENUMS[Origin("attempt", "state")] == set(AttemptState)
    assert Origin("messaging_number", "assignment") in ENUMS  # may be NULL
    assert len(ENUMS) > 40


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        ("SELECT id FROM messages", ["no table messages"]),
        ("SELECT idd FROM message", ["no column idd"]),
        ("SELECT m.idd FROM message m", ["no column m.idd"]),
        ("SELECT x.id FROM message m", ["no column x.id"]),
        ("UPDATE message SET statuz = 'SENT'", ["no column statuz"]),
        (
            "INSERT INTO receipt (tenant_id, statuz) VALUES (1, 'SENT')",
            ["no column receipt.statuz"],
        ),
        ("DELETE FROM receipt WHERE statuz = 'SENT'", ["no column statuz"]),
        ("WITH a AS (SELECT id FROM message) SELECT status FROM a", ["no column status"]),
        ("SELECT a.no FROM (SELECT m.id AS yes FROM message m) AS a", ["no column a.no"]),
        ("SELECT one.no FROM message m, LATERAL (SELECT m.id) AS one", ["no column one.no"]),
        (
            "INSERT INTO alert AS a (tenant_id) VALUES (1) ON CONFLICT (id) DO UPDATE SET nope = 1",
            ["no column nope"],
        ),
    ],
)
def test_a_wrong_name_is_found(words: str, faults: list[str]) -> None:
    assert list(CHECKER.faults(parse(words))) == faults


@pytest.mark.parametrize(
    "words",
    [
        "SELECT 1 FROM message WHERE status = 'SENTT'",
        "SELECT 1 FROM message WHERE 'SENTT' = status",
        "SELECT 1 FROM message m WHERE m.status <> 'SENTT'",
        "SELECT 1 FROM message WHERE status IN ('SENT', 'SENTT')",
        "SELECT 1 FROM message WHERE status NOT IN ('SENTT')",
        "SELECT 1 FROM message WHERE (id, status) IN ((1, 'SENTT'))",
        "SELECT 1 FROM message WHERE (status, id) = ('SENTT', 1)",
        "SELECT 1 FROM message WHERE status = ANY (ARRAY['SENT', 'SENTT'])",
        "SELECT CASE status WHEN 'SENTT' THEN 1 END FROM message",
        "SELECT CASE WHEN status = 'SENTT' THEN 1 END FROM message",
        "SELECT 1 FROM message WHERE status IS DISTINCT FROM 'SENTT'",
        "SELECT count(*) FILTER (WHERE status = 'SENTT') FROM message",
        "SELECT 1 FROM message ORDER BY status = 'SENTT'",
        "SELECT 1 FROM message WHERE EXISTS (SELECT 1 FROM receipt WHERE message.status = 'SENTT')",
        "UPDATE message SET status = 'SENTT'",
        "UPDATE message SET status = CASE WHEN units = 1 THEN 'SENTT' ELSE status END",
        "UPDATE message SET status = COALESCE(:status, 'SENTT')",
        "INSERT INTO message (id, status) VALUES (1, 'SENT'), (2, 'SENTT')",
        "INSERT INTO message (id, status) SELECT 1, 'SENTT'",
        "INSERT INTO message AS m (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status = 'SENTT'",
        "WITH a AS (SELECT status AS s FROM message) SELECT 1 FROM a WHERE s = 'SENTT'",
        "WITH a AS (SELECT 'SENTT' AS s) UPDATE message SET status = a.s FROM a",
        "WITH a AS (DELETE FROM message RETURNING *) SELECT 1 FROM a WHERE status = 'SENTT'",
        "SELECT 1 FROM (VALUES ('SENTT')) AS v (word), message m WHERE m.status = v.word",
        "SELECT 1 FROM message WHERE status = :s AND CAST(:s AS text) IN ('SENTT')",
    ],
)
def test_a_wrong_literal_is_found(words: str) -> None:
    assert list(CHECKER.faults(parse(words))) == ["message.status is never 'SENTT'"]
    assert list(CHECKER.faults(parse(words.replace("SENTT", "SENT")))) == []


def test_literals_planted_in_our_statements_are_found() -> None:
    """Not all: the results of `unnest` and of functions are not followed."""
    enums = set().union(*ENUMS.values()) - {""}
    planted = missed = 0
    for statement in statements():
        words = statement.words
        for literal in re.finditer(r"'([A-Z_]+)'", words):
            if literal[1] in enums:
                planted += 1
                wrong = f"{words[: literal.start()]}'WRONG'{words[literal.end() :]}"
                missed += not list(CHECKER.faults(parse(wrong)))
    assert planted > 150
    assert missed < planted / 8
