"""`hexavox invoice compare`: missing lines, differences, and invalid files."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.main import app
from models.enums import AttemptState
from models.session import Database
from models.tables.usage import UsageRecord
from tests.factories import Owner, add_card, make_message, make_owner, new_message
from tests.reports.usage_fixtures import (
    Use,
    book,
    claim,
    conclude,
    correct,
    delivered,
    give_up,
    settle,
    try_message,
)
from tests.shown_ids import reference_of, shown

DAY = date(2026, 4, 15)
AT = datetime(2026, 4, 15, 12, tzinfo=UTC)
RANGE = ("--from", "2026-04-01", "--to", "2026-04-30")
Compare = Callable[..., Awaitable[Result]]


@pytest.fixture
def compare(database_url: str, owner: Owner, tmp_path: Path) -> Compare:
    """Runs the command on a file with this content."""

    async def run(contents: str | bytes, *words: str, tenant: str = owner.tenant) -> Result:
        file = tmp_path / "invoice.csv"
        file.write_bytes(contents.encode() if isinstance(contents, str) else contents)
        return await asyncio.to_thread(
            CliRunner().invoke,
            app,
            ["invoice", "compare", str(file), "--tenant", tenant, *words],
            env={"DATABASE_URL": database_url},
        )

    return run


async def sent(database: Database, owner: Owner, use: Use, vendor_id: str = "") -> int:
    """Insert a message that a provider accepted under its own id."""
    message = await make_message(database, new_message(owner, accepted_at=AT))
    async with database.transaction() as db:
        await claim(db, owner, message, AT)
        await db.execute(
            text(
                "UPDATE attempt SET provider = :p, provider_message_id = :id"
                " WHERE tenant_id = :t AND message_id = :m"
            ),
            {"p": use.provider, "id": vendor_id or None, "t": owner.tenant_id, "m": message},
        )
    await book(database, owner, use, message)
    return message


async def test_an_invoice_that_agrees_leaves_with_0(
    database: Database, owner: Owner, compare: Compare
) -> None:
    use = Use(day=DAY, units=2, cost=Decimal("0.0158"), carrier_fee=Decimal("0.006"))
    await sent(database, owner, use, "SM1")
    reference = await reference_of(database, owner.tenant_id, await sent(database, owner, use))
    await sent(database, owner, Use(day=DAY, units=0))  # an unanswered call
    run = await compare(
        "Message ID,Units,Cost,Carrier fee,Day\n"
        f"SM1,2,0.0158,0.006,2026-04-15\n{reference},2.0,0.0218,,2026-04-16\n"
    )
    assert run.exit_code == 0, run.output
    assert run.output.splitlines() == [
        "invoice: 2 lines, 2 messages, units 4, USD 0.043600",
        "ours:    3 messages of 2026-04-15 to 2026-04-16 and what is invoiced,"
        " units 4, USD 0.043600",
        "Both agree.",
    ]


async def test_missing_and_different_lines_are_reported(
    database: Database, owner: Owner, compare: Compare
) -> None:
    use = Use(day=DAY, cost=Decimal("0.0079"))
    twice, dear, unbilled = [await sent(database, owner, use, f"SM{n}") for n in range(3)]
    other = await make_owner(database)
    foreign = await sent(database, other, use, "SM9")
    theirs = await reference_of(database, other.tenant_id, foreign)
    twice, dear, unbilled = [await shown(database, "message", n) for n in (twice, dear, unbilled)]
    run = await compare(
        "sid,segments,price\nSM0,1,0.0079\nSM0,1,0.0079\nSM1,1,0.0080\nSM9,1,0.0079\n"
        f"{theirs},1,0.0079\n",
        *RANGE,
    )
    assert run.exit_code == 1
    assert run.output.splitlines() == [
        f"differs\t{twice}\tSM0\t2026-04-15\tours units 1, USD 0.007900"
        "\tinvoice units 2, USD 0.015800",
        f"differs\t{dear}\tSM1\t2026-04-15\tours units 1, USD 0.007900"
        "\tinvoice units 1, USD 0.008000",
        f"not invoiced\t{unbilled}\t-\t2026-04-15\tours units 1, USD 0.007900\tinvoice nothing",
        "unknown to us\t-\tSM9\t-\tours nothing\tinvoice units 1, USD 0.007900",
        f"unknown to us\t-\t{theirs}\t-\tours nothing\tinvoice units 1, USD 0.007900",
        "invoice: 5 lines, 4 messages, units 5, USD 0.039600",
        "ours:    3 messages of 2026-04-01 to 2026-04-30 and what is invoiced,"
        " units 3, USD 0.023700",
        "Differences: 5.",
    ]


async def test_only_the_given_days_and_provider_are_compared(
    database: Database, owner: Owner, compare: Compare
) -> None:
    await sent(database, owner, Use(day=DAY, cost=Decimal(1)), "SM1")
    await sent(database, owner, Use(day=DAY, provider="ses", cost=Decimal(1)), "SES1")
    await sent(database, owner, Use(day=date(2026, 5, 2), cost=Decimal(1)), "SM2")
    await sent(database, owner, Use(day=date(2026, 5, 2), cost=Decimal(1)), "SM3")
    # SM2 was sent late on its last day, in the provider's time zone
    invoice = "id,units,cost\nSM1,1,1\nSM2,1,1\n"
    assert (await compare(invoice, *RANGE, "--provider", "simulator")).exit_code == 0
    assert (await compare(invoice, *RANGE)).exit_code == 1


async def test_of_a_corrected_unknown_the_units_it_costs_money_for_are_compared(
    database: Database, owner: Owner, compare: Compare
) -> None:
    """Its hold was released, and units are not captured again; the provider bills them."""
    await add_card(database, owner.tenant_id, unit_cost="0.0079")
    message = await try_message(database, owner, AT, AttemptState.AMBIGUOUS)
    async with database.transaction() as db:
        await give_up(db, owner, message, AT)
    await delivered(database, owner, message, AT)
    async with database.transaction() as db:
        await correct(db, owner, message, AT)
    async with database.read() as db:
        record = await db.get(UsageRecord, (owner.tenant_id, message))
    assert record is not None
    assert (record.units, record.cost_units) == (0, 1)
    reference = await reference_of(database, owner.tenant_id, message)
    invoice = f"id,units,cost\n{reference},1,0.0079\n"
    run = await compare(invoice, *RANGE)
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
async def test_a_lost_answer_is_matched_by_the_id_in_its_report(
    database: Database, owner: Owner, compare: Compare, late: bool
) -> None:
    """The vendor bills by its own id, which was in the lost answer."""
    await add_card(database, owner.tenant_id, unit_cost="0.0079")
    message = await try_message(database, owner, AT, AttemptState.AMBIGUOUS)
    if late:
        async with database.transaction() as db:
            await give_up(db, owner, message, AT)
    await delivered(database, owner, message, AT)
    async with database.transaction() as db:
        await (correct if late else settle)(db, owner, message, AT)
    run = await compare(f"id,units,cost\nSM{message},1,0.0079\n", *RANGE)
    assert run.exit_code == 0, run.output


async def test_a_report_that_came_before_the_answer_was_lost_names_the_message(
    database: Database, owner: Owner, compare: Compare
) -> None:
    await add_card(database, owner.tenant_id, unit_cost="0.0079")
    message = await try_message(database, owner, AT, AttemptState.REQUESTED)
    await delivered(database, owner, message, AT)
    async with database.transaction() as db:
        await conclude(db, owner, message, AT, AttemptState.AMBIGUOUS)
    async with database.transaction() as db:
        await settle(db, owner, message, AT)
    run = await compare(f"id,units,cost\nSM{message},1,0.0079\n", *RANGE)
    assert run.exit_code == 0, run.output


async def test_corrections_are_part_of_what_we_recorded(
    database: Database, owner: Owner, compare: Compare
) -> None:
    message = await sent(database, owner, Use(day=DAY, cost=Decimal("0.0079")), "SM1")
    async with database.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO usage_correction (tenant_id, message_id, merchant_id, channel,"
                " provider, day, cost, posted_at) VALUES (:t, :m, :merchant, 'SMS', 'simulator',"
                " '2026-05-20', -0.0009, now())"
            ),
            {"t": owner.tenant_id, "m": message, "merchant": owner.merchant_id},
        )
    assert (await compare("id,units,cost\nSM1,1,0.0070\n", *RANGE)).exit_code == 0
    assert (await compare("id,units,cost\nSM1,1,0.0079\n", *RANGE)).exit_code == 1
    near = await compare("id,units,cost\nSM1,1,0.0071\n", *RANGE, "--tolerance", "0.0001")
    assert near.exit_code == 0


TWILIO_LOG = (
    "From,To,Body,Status,SentDate,ApiVersion,NumSegments,ErrorCode,AccountSid,Sid,Direction,Price,"
    "PriceUnit\n"
    "+15005550006,+18135551234,Hi,delivered,{at},2010-04-01,2,,AC1,SM1,outbound-api,-0.0158,USD\n"
    '+15005550006,+18135551234,"Hi, you",failed,{at},2010-04-01,1,30005,AC1,SM2,outbound-api,,USD\n'
    "+18135551234,+15005550006,STOP,received,{at},2010-04-01,1,,AC1,SM3,inbound,-0.0079,USD\n"
)


@pytest.mark.parametrize(
    "at",
    [
        "2026-04-15",
        "2026-04-15T12:00:00Z",
        "2026-04-15T23:30:00-07:00",
        "2026-04-15 12:00:00 UTC",
        "2026-04-15T12:00:00.123+00:00",
        '"Wed, 15 Apr 2026 12:00:00 +0000"',
        "",
    ],
)
async def test_twilios_own_log_is_read_with_its_negative_prices(
    database: Database, owner: Owner, compare: Compare, at: str
) -> None:
    use = Use(day=DAY, units=2, cost=Decimal("0.0158"), provider="twilio")
    await sent(database, owner, use, "SM1")
    run = await compare(TWILIO_LOG.format(at=at), *RANGE)
    assert run.exit_code == 0, run.output
    assert run.output.splitlines()[0] == "invoice: 1 lines, 1 messages, units 2, USD 0.015800"


async def test_an_invoice_may_take_money_back_and_write_small_amounts_as_tables_do(
    database: Database, owner: Owner, compare: Compare
) -> None:
    await sent(database, owner, Use(day=DAY, units=1, cost=Decimal("0.0079")), "SM1")
    run = await compare(
        "id,units,cost,currency,day\nSM1,1,1.58E-02,usd,2026-04-15\nSM1,0,-.0079,USD,2026-04-15,\n"
    )
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ("", "names no column"),
        ("id,units\nSM1,1\n", "names no column for cost"),
        ("id,units,cost\nSM1,1\n", "Line 2 has too few cells"),
        ("id,units,cost\n,1,1\n", "Line 2: the message id"),
        ("id,units,cost\nSM1,1,1\nSM2,half,1\n", "Line 3: units"),
        ("id,units,cost\nSM1,-1,1\n", "Line 2: units"),
        ("id,units,cost\nSM1,1,$1\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1,NaN\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1,1e99\n", "Line 2: cost"),
        ("id,units,cost\nSM\x001,1,1\n", "Line 2"),
        ("id,units,cost,day\nSM1,1,1,4/15/2026\n", "Line 2: "),
        ("id,units,cost\nSM1,1,1_000.5\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1,١.٥\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1,１.5\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1,0x1F\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1,+-1\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1,1 000\n", "Line 2: cost"),
        ('id,units,cost\nSM1,1,"1,5"\n', "Line 2: cost"),
        ("id,units,cost\nSM1,1,0,0079\n", "Line 2 has more cells"),
        ("id,units,cost\nSM1,1,\n", "Line 2: cost"),
        ("id,units,cost,carrier fee\nSM1,1,1,1_0\n", "Line 2: cost"),
        ("id,units,cost\nSM1,1_0,1\n", "Line 2: units"),
        ("id,units,cost\nSM1,１,1\n", "Line 2: units"),
        ("id,units,cost\nSM1,1.5,1\n", "Line 2: units"),
        ("id,units,cost,day\nSM1,1,1,2026-04-155\n", "Line 2: day"),
        ("id,units,cost,day\nSM1,1,1,2026-04-15 or so\n", "Line 2: day"),
        ("id,units,cost,day\nSM1,1,1,2026-04-15/2026-04-16\n", "Line 2: day"),
        ("id,units,cost,day\nSM1,1,1,2026-04-15T99:00\n", "Line 2: day"),
        ("id,units,cost,day\nSM1,1,1,2026-02-30\n", "Line 2: day"),
        ("id,units,cost,day\nSM1,1,1,2026-W16-3\n", "Line 2: day"),
        ("id,units,cost,day\nSM1,1,1,٢٠٢٦-٠٤-١٥\n", "Line 2: day"),
        ("id,units,cost,Cost\nSM1,1,1,2\n", "two columns for cost"),
        ("id,units,price,amount\nSM1,1,1,2\n", "two columns for cost"),
        ("id,units,num_segments,cost\nSM1,1,2,1\n", "two columns for units"),
        ("id,sid,units,cost\nSM1,SM2,1,1\n", "two columns for id"),
        ("id,units,cost,currency\nSM1,1,1,EUR\n", "Line 2: the currency"),
        ("Sid,NumSegments,Price,PriceUnit\nSM1,1,-1,GBP\n", "Line 2: the currency"),
        ("Sid,NumSegments,Price,PriceUnit\nSM1,1,0.0079,USD\n", "Line 2: price"),
        ('id,units,cost\n"SM1,1,1\n', "is not CSV"),
        (b"id,units,cost\n\xff,1,1\n", "is not UTF-8"),
    ],
)
async def test_a_file_that_is_no_invoice_leaves_with_2(
    compare: Compare, contents: str | bytes, why: str
) -> None:
    run = await compare(contents, *RANGE)
    assert run.exit_code == 2, run.output
    assert why in " ".join(run.output.replace("│", " ").split())


async def test_a_file_without_days_needs_a_range_and_a_tenant_must_be_there(
    compare: Compare,
) -> None:
    invoice = "id,units,cost\nSM1,1,1\n"
    assert "--from and --to" in (await compare(invoice)).output
    for words in (
        (),
        ("--from", "2026-05-01", "--to", "2026-04-01"),
        ("--tolerance", "-1", *RANGE),
    ):
        assert (await compare(invoice, *words)).exit_code == 2
    assert (await compare(invoice, *RANGE, tenant="nobody")).exit_code == 2
