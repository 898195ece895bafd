"""A batch is read with its progress, its lines and its messages."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from models.enums import MessageStatus
from models.session import Database
from tests.api.batches.bodies import PATH, batch, stored
from tests.api.integrator import GYM, Integrator, make_message
from tests.shown_ids import shown

AT = datetime(2026, 4, 16, 13, 20, tzinfo=UTC)


async def decide(
    database: Database,
    tenant_id: int,
    messages: list[tuple[MessageStatus, datetime | None]],
    refused: int = 0,
) -> list[str]:
    """Decide the first lines of a tenant's newest batch as workers do; return the messages' ids."""
    row = (await stored(database, tenant_id))[-1]
    ids = [
        await make_message(
            database,
            tenant_id,
            row.merchant_id,
            batch_id=row.id,
            status=status,
            completed_at=completed_at,
        )
        for status, completed_at in messages
    ]
    values = {"t": tenant_id, "b": row.id, "accepted": len(ids), "refused": refused}
    async with database.transaction() as db:
        for line, id in enumerate(ids, 1):
            await db.execute(
                text(
                    "UPDATE batch_line SET request = NULL, message_id = :id"
                    " WHERE tenant_id = :t AND batch_id = :b AND line = :line"
                ),
                {**values, "id": id, "line": line},
            )
        await db.execute(
            text(
                "UPDATE batch_line SET request = NULL, refusal_code = 'CONSENT_OPTED_OUT',"
                " refusal_detail = 'The recipient opted out.' WHERE tenant_id = :t"
                " AND batch_id = :b AND line > :accepted AND line <= :accepted + :refused"
            ),
            values,
        )
        await db.execute(
            text(
                "UPDATE batch SET accepted = :accepted, refused = :refused,"
                " next_line = :accepted + :refused + 1,"
                " decided_at = CASE WHEN :accepted + :refused = total"
                " THEN CAST(:at AS timestamptz) END"
                " WHERE tenant_id = :t AND id = :b"
            ),
            {**values, "at": AT},
        )
    return [str(await shown(database, "message", id)) for id in ids]


async def test_every_status_is_counted(gym: Integrator, database: Database) -> None:
    path = f"{PATH}/{(await gym.post(PATH, batch(12))).json()['batchId']}"
    statuses = [(status, None) for status in MessageStatus]
    await decide(database, gym.tenant_id, [*statuses, (MessageStatus.SENT, None)], refused=1)
    view = (await gym.get(path)).json()
    assert (view["status"], view["accepted"], view["refused"]) == ("ACCEPTING", 10, 1)
    assert view["counts"] == {
        **{status.lower(): 1 for status in MessageStatus},
        "sent": 2,
    }
    assert view["completedAt"] is None


@pytest.mark.parametrize(
    ("last", "status", "completed_at"),
    [
        ((MessageStatus.SENT, None), "SENDING", None),
        ((MessageStatus.SCHEDULED, None), "SENDING", None),
        ((MessageStatus.SENT, AT + timedelta(hours=1)), "COMPLETED", "2026-04-16T14:20:00.000Z"),
        ((MessageStatus.FAILED, AT - timedelta(hours=1)), "COMPLETED", "2026-04-16T13:20:00.000Z"),
    ],
)
async def test_it_is_completed_once_every_line_is_decided_and_every_message_ended(
    gym: Integrator,
    database: Database,
    last: tuple[MessageStatus, datetime | None],
    status: str,
    completed_at: str | None,
) -> None:
    path = f"{PATH}/{(await gym.post(PATH, batch(3))).json()['batchId']}"
    early = (MessageStatus.DELIVERED, AT - timedelta(hours=2))
    await decide(database, gym.tenant_id, [early, last], refused=1)
    view = (await gym.get(path)).json()
    assert (view["status"], view["completedAt"]) == (status, completed_at)


async def test_a_batch_whose_lines_are_all_refused_is_completed(
    gym: Integrator, database: Database
) -> None:
    path = f"{PATH}/{(await gym.post(PATH, batch(3))).json()['batchId']}"
    await decide(database, gym.tenant_id, [], refused=3)
    view = (await gym.get(path)).json()
    assert (view["status"], view["completedAt"]) == ("COMPLETED", "2026-04-16T13:20:00.000Z")


async def test_the_lines_are_listed_in_order(gym: Integrator, database: Database) -> None:
    path = f"{PATH}/{(await gym.post(PATH, batch(5))).json()['batchId']}/messages"
    ids = await decide(database, gym.tenant_id, [(MessageStatus.QUEUED, None)] * 2, refused=1)
    refusal = {"code": "CONSENT_OPTED_OUT", "detail": "The recipient opted out."}
    expected = [
        {"line": 1, "messageId": ids[0], "error": None},
        {"line": 2, "messageId": ids[1], "error": None},
        {"line": 3, "messageId": None, "error": refusal},
        {"line": 4, "messageId": None, "error": None},
        {"line": 5, "messageId": None, "error": None},
    ]
    whole = await gym.get(path)
    assert whole.json() == expected
    assert "Link" not in whole.headers
    found, query = [], {"limit": "2"}
    while True:
        page = await gym.get(path, **query)
        found += page.json()
        following = page.links.get("next")
        if following is None:
            break
        query = {"limit": "2", "cursor": following["url"].partition("cursor=")[2]}
    assert found == expected


async def test_messages_are_found_by_their_batch(gym: Integrator, database: Database) -> None:
    first = (await gym.post(PATH, batch(3))).json()["batchId"]
    ids = await decide(
        database,
        gym.tenant_id,
        [(MessageStatus.QUEUED, None), (MessageStatus.DELIVERED, AT), (MessageStatus.QUEUED, None)],
    )
    second = (await gym.post(PATH, batch(1))).json()["batchId"]
    await decide(database, gym.tenant_id, [(MessageStatus.QUEUED, None)])
    third = (await gym.post(PATH, batch(1))).json()["batchId"]

    async def found(**query: str) -> list[str]:
        return [message["messageId"] for message in (await gym.get("/messages", **query)).json()]

    assert await found(batchId=first) == ids[::-1]
    assert await found(batchId=first, status="QUEUED") == [ids[2], ids[0]]
    assert await found(batchId=first, channel="VOICE") == []
    assert len(await found(batchId=second, merchantId="gym-a")) == 1
    assert await found(batchId=third) == []
    page = await gym.get("/messages", batchId=first, limit="2")
    assert [message["messageId"] for message in page.json()] == ids[:0:-1]
    assert f"batchId={first}" in page.headers["Link"]


@pytest.mark.parametrize("given", ["7", "x", "", "-1", "9" * 16, "٣"])
async def test_an_unknown_batch_is_404(gym: Integrator, given: str) -> None:
    answers = [await gym.get("/messages", batchId=given)]
    if given:
        answers += [
            await gym.get(f"{PATH}/{given}"),
            await gym.get(f"{PATH}/{given}/messages"),
            await gym.post(f"{PATH}/{given}/cancel", None),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (404, "BATCH_NOT_FOUND")


async def test_nobody_else_sees_a_batch(
    gym: Integrator,
    stranger: Integrator,
    database: Database,
    merchant_key: Callable[[int, int], Awaitable[Integrator]],
) -> None:
    await gym.post("/merchants", {**GYM, "merchantId": "gym-b"})
    async with database.read() as db:
        named = await db.execute(
            text("SELECT external_id, id FROM merchant WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )
        merchants = {row.external_id: row.id for row in named}
    own = await merchant_key(gym.tenant_id, merchants["gym-a"])
    sibling = await merchant_key(gym.tenant_id, merchants["gym-b"])
    id = (await gym.post(PATH, batch(1))).json()["batchId"]
    await decide(database, gym.tenant_id, [(MessageStatus.QUEUED, None)])
    for caller, status in ((gym, 200), (own, 200), (sibling, 404), (stranger, 404)):
        for answer in (
            await caller.get(f"{PATH}/{id}"),
            await caller.get(f"{PATH}/{id}/messages"),
            await caller.get("/messages", batchId=id),
            await caller.post(f"{PATH}/{id}/cancel", None),
        ):
            assert answer.status_code == status, answer.text


async def test_a_message_that_was_accepted_outside_is_shown_but_not_counted(
    gym: Integrator, database: Database
) -> None:
    id = (await gym.post(PATH, batch(1))).json()["batchId"]
    ids = await decide(database, gym.tenant_id, [(MessageStatus.QUEUED, None)])
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE message SET batch_id = NULL WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )
    view = (await gym.get(f"{PATH}/{id}")).json()
    assert (view["accepted"], sum(view["counts"].values())) == (1, 0)
    lines = (await gym.get(f"{PATH}/{id}/messages")).json()
    assert [line["messageId"] for line in lines] == ids
