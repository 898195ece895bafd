"""Every SMS row of the simulator's table, from the request to delivery and ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from models.queries.billing import invoices
from models.queries.billing.invoices import InvoiceLine, Scope
from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number

pytestmark = pytest.mark.xdist_group("stack")


@dataclass(frozen=True)
class Row:
    """Expected end of a message to such a number."""

    last_four: str
    status: str = "DELIVERED"
    error_code: str | None = None
    provider_code: str | None = None
    copies: int = 1
    billed: int = 1
    attempts: int = 1


ROWS = (
    Row("1234"),
    Row("9001", "UNDELIVERED", "UNREACHABLE", "30005", copies=0),
    Row("9002", "FAILED", "BAD_DESTINATION", "21211", copies=0, billed=0),
    Row("9003", attempts=2),
    Row("9004"),
    Row("9005", attempts=2),
    Row("9006"),
    Row("9007", attempts=2),
    Row("9008"),
    Row("9009"),
    Row("9010"),
    Row("9011", "UNKNOWN", "DELIVERY_UNKNOWN"),
    Row("9012"),
    Row("9013"),
    Row("9014", "FAILED", "OPTED_OUT", "21610", copies=0, billed=0),
)


@dataclass(frozen=True)
class Sent:
    """All rows in progress concurrently, so that the table takes as long as its slowest row."""

    integrator: Integrator
    numbers: dict[str, str]
    messages: dict[str, str]


@pytest.fixture(scope="module")
async def sent(harness: Harness) -> Sent:
    """Send one message for every row."""
    integrator = await harness.integrator()
    numbers = {row.last_four: number(row.last_four) for row in ROWS}
    messages = {
        last_four: await integrator.accepted(to, key=f"row-{last_four}")
        for last_four, to in numbers.items()
    }
    return Sent(integrator, numbers, messages)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.last_four)
async def test_a_message_ends_as_the_table_says(sent: Sent, harness: Harness, row: Row) -> None:
    message_id = sent.messages[row.last_four]
    view = await sent.integrator.ended(message_id)
    assert (
        Row(
            last_four=row.last_four,
            status=view["status"],
            error_code=view["errorCode"],
            provider_code=view["providerCode"],
            copies=len(await harness.deliveries(sent.numbers[row.last_four])),
            billed=view["billedUnits"],
            attempts=view["attempts"],
        )
        == row
    )
    used = {"CAPTURE": (1, 0)} if row.billed else {"RELEASE": (1, 0)}
    assert await sent.integrator.movements(message_id) == {"HOLD": (1, 0), **used}
    usage = await sent.integrator.usage()
    assert usage.get(message_id) == ((1, "FINAL") if row.billed else None)


async def test_after_the_whole_table_the_books_are_exact(sent: Sent) -> None:
    await sent.integrator.all_ended()
    billed = sum(row.billed for row in ROWS)
    assert await sent.integrator.balances() == {
        "used": billed,
        "held": 0,
        "credits_used": 0,
        "credits": 0,
        "credits_held": 0,
    }
    assert await sent.integrator.day_total() == (billed, billed)
    assert await violations(sent.integrator) == []


async def test_the_vendors_own_ids_find_every_message_whatever_became_of_its_answer(
    sent: Sent, harness: Harness
) -> None:
    """An invoice of the delivered messages: only the undelivered 9001 is not on it."""
    await sent.integrator.all_ended()
    today = datetime.now(UTC).date()
    lines = [
        InvoiceLine(id=copy["id"], units=1, cost=Decimal("0.01"), day=today)
        for to in sent.numbers.values()
        for copy in await harness.deliveries(to)
    ]
    scope = Scope(
        tenant_id=sent.integrator.owner.tenant_id,
        provider=None,
        first=today - timedelta(days=1),
        last=today,
    )
    async with harness.database.transaction() as db:
        await invoices.copy_invoice(db, lines)
        await invoices.compare(db, scope)
        found = [
            (d.kind, d.message) async for d in invoices.differences(db, scope.tenant_id, Decimal(1))
        ]
    assert len(lines) == sum(row.copies for row in ROWS)
    assert found == [("not invoiced", int(sent.messages["9001"]))]
