"""Every voice row of the simulator's table, from the request to the call and the ledger."""

from dataclasses import dataclass

import pytest

from tests.e2e.harness import Harness, Integrator, number

pytestmark = pytest.mark.xdist_group("stack")

HELD = 5
"""Minutes of the longest call, by default."""


@dataclass(frozen=True)
class Row:
    """Expected end of a call to such a number."""

    last_four: str
    status: str = "DELIVERED"
    error_code: str | None = None
    provider_code: str | None = None
    calls: int = 1
    minutes: int = 1
    attempts: int = 1


ROWS = (
    Row("1234"),
    Row("9001", "UNDELIVERED", "UNREACHABLE", "30005", calls=0, minutes=0),
    Row("9002", "FAILED", "BAD_DESTINATION", "21211", calls=0, minutes=0),
    Row("9003", attempts=2),
    Row("9004"),
    Row("9005", attempts=2),
    Row("9006"),
    Row("9007", attempts=2),
    Row("9008"),
    Row("9009"),
    Row("9010"),
    Row("9011", "UNKNOWN", "DELIVERY_UNKNOWN", minutes=0),
    Row("9012"),
    Row("9013"),
    Row("9014", "FAILED", "OPTED_OUT", "21610", calls=0, minutes=0),
    Row("9101", "UNDELIVERED", "UNREACHABLE", None, calls=0, minutes=0),
    Row("9102", "UNDELIVERED", "UNREACHABLE", None, calls=0, minutes=0),
    Row("9103", "FAILED", "DELIVERY_FAILED", "31005", calls=0, minutes=0),
    Row("9206"),
    Row("9207", minutes=2),
    Row("9299", minutes=5),
)


@dataclass(frozen=True)
class Called:
    """All rows in progress concurrently."""

    integrator: Integrator
    numbers: dict[str, str]
    messages: dict[str, str]


@pytest.fixture(scope="module")
async def called(harness: Harness) -> Called:
    """Place one call for every row."""
    integrator = await harness.integrator()
    numbers = {row.last_four: number(row.last_four) for row in ROWS}
    messages = {}
    for last_four, to in numbers.items():
        body = {
            "merchantId": integrator.owner.merchant,
            "to": to,
            "text": "Your appointment is tomorrow at 10 AM",
            "type": "REMINDER",
        }
        answer = await integrator.post("/messages/voice", body, key=f"call-{last_four}")
        assert answer.status_code == 200, answer.text
        messages[last_four] = answer.json()["messageId"]
    return Called(integrator, numbers, messages)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.last_four)
async def test_a_call_ends_as_the_table_says(called: Called, harness: Harness, row: Row) -> None:
    message_id = called.messages[row.last_four]
    view = await called.integrator.ended(message_id)
    assert (
        Row(
            last_four=row.last_four,
            status=view["status"],
            error_code=view["errorCode"],
            provider_code=view["providerCode"],
            calls=len(await harness.deliveries(called.numbers[row.last_four])),
            minutes=view["billedUnits"],
            attempts=view["attempts"],
        )
        == row
    )
    assert view["units"] == row.minutes
    movements = {"HOLD": (HELD, 0)}
    if row.minutes:
        movements["CAPTURE"] = (row.minutes, 0)
    if row.minutes < HELD:
        movements["RELEASE"] = (HELD - row.minutes, 0)
    assert await called.integrator.movements(message_id) == movements


async def test_the_history_has_the_states_of_the_call(called: Called) -> None:
    view = await called.integrator.ended(called.messages["9207"])
    told = [(e["phase"], e["durationSeconds"]) for e in view["events"] if e["phase"]]
    assert [phase for phase, _ in told] == ["ringing", "answered", "completed"]
    assert told[-1] == ("completed", 70)


async def test_a_shorter_limit_holds_fewer_minutes_and_ends_the_call(harness: Harness) -> None:
    integrator = await harness.integrator()
    body = {
        "merchantId": integrator.owner.merchant,
        "to": number("9299"),
        "text": "A long story",
        "type": "NOTIFICATION",
        "maxDurationSeconds": 61,
    }
    answer = await integrator.post("/messages/voice", body)
    view = await integrator.ended(answer.json()["messageId"])
    assert (view["units"], view["billedUnits"]) == (2, 2)
