"""Responses to database errors: 503 with Retry-After if transient, 500 for bugs."""

import pytest

from models.database.faults import Fault, closes, fault_of
from tests.database.site import Site

RAISE = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '{state}'; END $$;
CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail();
"""
HEAL = "DROP FUNCTION fail() CASCADE"

TEMPORARY = {
    "08006": "connection_failure",
    "25006": "read_only_sql_transaction",
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "40001": "serialization_failure",
    "40P01": "deadlock_detected",
    "53100": "disk_full",
    "53200": "out_of_memory",
    "53300": "too_many_connections",
    "53400": "configuration_limit_exceeded",
    "55P03": "lock_not_available",
    "57014": "query_canceled",
    "57P01": "admin_shutdown",
    "57P02": "crash_shutdown",
    "57P03": "cannot_connect_now",
    "58030": "io_error",
}
BUGS = ("22012", "23502", "42703", "XX000")


@pytest.mark.parametrize("state", TEMPORARY, ids=TEMPORARY.get)
async def test_a_fault_that_passes_is_503_and_over_when_it_is_over(site: Site, state: str) -> None:
    site.run(RAISE.format(state=state, table="message"))
    answer = await site.send()
    assert (answer.status_code, answer.json()["code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert "planted" not in answer.text
    site.run(HEAL)
    assert (await site.send()).status_code == 200


@pytest.mark.parametrize("state", BUGS)
async def test_a_bug_is_500_and_promises_nothing(site: Site, state: str) -> None:
    site.run(RAISE.format(state=state, table="message"))
    answer = await site.send()
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("table", "path", "body"),
    [
        (
            "merchant",
            "/merchants",
            {
                "displayName": "Gym",
                "active": True,
                "smsLimit": 1,
                "voiceMinutesLimit": 1,
                "emailLimit": 1,
            },
        ),
        (
            "consent",
            "/consents",
            {"channel": "SMS", "contact": "+18135551234", "status": "OPT_IN", "source": "form"},
        ),
    ],
)
async def test_every_kind_of_write_says_so(
    site: Site, table: str, path: str, body: dict[str, object]
) -> None:
    whole = {"merchantId": site.owner.merchant, **body}
    site.run(RAISE.format(state="25006", table=table))
    answer = await site.post(path, whole)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "2")
    site.run(HEAL)
    assert (await site.post(path, whole)).status_code == 200


async def test_nothing_is_written_by_a_request_that_met_a_fault(site: Site) -> None:
    site.run(RAISE.format(state="53100", table="ledger_entry"))
    assert (await site.send(key="k")).status_code == 503
    site.run(HEAL)
    with site.admin() as db:
        found = db.execute("SELECT count(*), sum(held) FROM message, allowance_month").fetchone()
    assert found == (0, None)
    first = await site.send(key="k")
    again = await site.send(key="k")
    assert first.status_code == again.status_code == 200
    assert first.json()["messageId"] == again.json()["messageId"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("no")])
def test_what_is_not_the_databases_is_no_fault_of_it(error: Exception) -> None:
    assert fault_of(error) is None
    assert not closes(fault_of(error))


def test_only_what_a_new_connection_may_mend_costs_the_connection() -> None:
    assert [fault for fault in Fault if closes(fault)] == [
        Fault.LOST,
        Fault.ENDED,
        Fault.READ_ONLY,
    ]
