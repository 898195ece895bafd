"""The unsubscribe link of a mail (RFC 8058)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from api.services.messages.permission import UnsubscribeLinks
from models.enums import Channel, ErrorCode, MessageType
from models.queries.messages import dispatch
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.contacts import key_of
from tests.factories import Owner, make_message, make_owner, new_message
from tests.inbound.harness import InboundHarness
from tests.mailing import RECIPIENTS, AllChannels, accept, mail
from workflows.messages.types import Verdict

ADDRESS = "maria@example.com"
LINKS = UnsubscribeLinks("http://api.test", "only-for-tests-too")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def link_of(owner: Owner, address: str) -> str:
    return LINKS.link(owner.tenant_public_id, owner.merchant_public_id, key_of(address))


def link(inbound: InboundHarness) -> str:
    return link_of(inbound.owner, ADDRESS)


async def consents(inbound: InboundHarness) -> list[Any]:
    rows = await inbound.rows(
        "SELECT merchant_id, channel, contact_key, status, source FROM consent WHERE tenant_id = :t"
    )
    return [tuple(row) for row in rows]


async def test_one_click_opts_out_of_the_merchants_mail(inbound: InboundHarness) -> None:
    response = await inbound.client.post(link(inbound), data=ONE_CLICK)
    assert response.status_code == 200
    assert await consents(inbound) == [
        (inbound.owner.merchant_id, "EMAIL", key_of(ADDRESS), "OPT_OUT", "email:one-click")
    ]
    assert await inbound.history() == [(inbound.owner.merchant_id, "OPT_OUT", "email:one-click")]


async def test_from_then_on_the_merchants_mail_is_blocked(inbound: InboundHarness) -> None:
    mail = replace(
        new_message(inbound.owner, to=ADDRESS, type=MessageType.TRANSACTIONAL),
        channel=Channel.EMAIL,
    )
    message_id = await make_message(inbound.database, mail)
    await inbound.client.post(link(inbound), data=ONE_CLICK)
    handed = await Harness(inbound.database, inbound.owner, Scripted()).dispatch(message_id)
    assert (handed.verdict, handed.error_code) == (Verdict.BLOCKED, ErrorCode.CONSENT_OPTED_OUT)


@pytest.mark.parametrize("recipient", RECIPIENTS)
async def test_the_link_waits_for_a_dispatch_under_way(
    inbound: InboundHarness, recipient: str
) -> None:
    """After the confirmation nothing more is sent: a dispatch in progress commits first."""
    harness = Harness(inbound.database, inbound.owner, AllChannels())
    under_way, later = [await accept(inbound.database, mail(inbound.owner)) for _ in range(2)]
    address = link_of(inbound.owner, recipient)
    tenant_id = inbound.owner.tenant_id
    async with inbound.database.transaction() as db:
        assert await dispatch.lock_for_dispatch(db, tenant_id=tenant_id, message_id=under_way)
        clicking = asyncio.create_task(inbound.client.post(address, data=ONE_CLICK))
        await asyncio.sleep(0.2)
        assert not clicking.done()
        now = datetime.now(UTC)
        await dispatch.claim(
            db,
            tenant_id=tenant_id,
            message_id=under_way,
            number=1,
            provider="one",
            account="one",
            now=now,
            deadline=now,
        )
    assert (await clicking).status_code == 200
    handed = await harness.dispatch(later)
    assert (handed.verdict, handed.error_code) == (Verdict.BLOCKED, ErrorCode.CONSENT_OPTED_OUT)
    assert len(await harness.attempts(under_way)) == 1


async def test_once_is_enough(inbound: InboundHarness) -> None:
    answers = await asyncio.gather(
        *(inbound.client.post(link(inbound), data=ONE_CLICK) for _ in range(10)),
        inbound.client.post(link(inbound)),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(await inbound.history()) == 1


async def test_following_the_link_asks_and_changes_nothing(inbound: InboundHarness) -> None:
    page = await inbound.client.get(link(inbound))
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    assert "Gym A" in page.text
    assert ADDRESS not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert (await inbound.client.head(link(inbound))).status_code == 200
    assert (await consents(inbound), await inbound.history()) == ([], [])


async def test_the_page_that_says_so_does_not_tell_the_address(inbound: InboundHarness) -> None:
    page = await inbound.client.post(link(inbound))
    assert "Gym A" in page.text
    assert ADDRESS not in page.text


async def test_what_a_merchant_is_called_is_no_markup(inbound: InboundHarness) -> None:
    merchant_fixture = await inbound.merchant_fixture("<script>alert(1)</script>")
    page = await inbound.client.get(link_of(merchant_fixture, ADDRESS))
    assert "<script>" not in page.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_link_that_is_not_ours_is_not_found(inbound: InboundHarness, method: str) -> None:
    good = link(inbound)
    tenant, merchant, contact, token = good.rpartition("/")[2].split("-")
    other = b"john@example.com".hex()
    for ticket in (
        "",
        "x",
        "1-2-3",
        "1-2-zz-4",
        f"{tenant}-{merchant}-{other}-{token}",
        f"{tenant}-{int(merchant) + 1}-{contact}-{token}",
        f"{tenant}-{merchant}-{contact}-{token[:-1]}",
        f"{tenant}-{merchant}-ff-{token}",
        f"{tenant}-{merchant}-{contact}-é",
        f"{'9' * 6000}-{merchant}-{contact}-{token}",
    ):
        response = await inbound.client.request(method, f"/unsubscribe/{ticket}")
        assert response.status_code == 404, ticket
    assert await consents(inbound) == []


async def test_a_link_of_one_merchant_opts_out_of_no_other(inbound: InboundHarness) -> None:
    merchant_fixture, stranger = (
        await inbound.merchant_fixture(),
        await make_owner(inbound.database),
    )
    tenant, merchant, contact, token = link(inbound).rpartition("/")[2].split("-")
    for ticket in (
        f"{tenant}-{merchant_fixture.merchant_public_id}-{contact}-{token}",
        f"{stranger.tenant_public_id}-{stranger.merchant_public_id}-{contact}-{token}",
    ):
        assert (await inbound.client.post(f"/unsubscribe/{ticket}")).status_code == 404
    assert await consents(inbound) == []
    good = f"{tenant}-{merchant}-{contact}-{token}"
    assert (await inbound.client.post(f"/unsubscribe/{good}")).status_code == 200


async def test_it_is_no_part_of_the_public_api(inbound: InboundHarness) -> None:
    paths = (await inbound.client.get("/v3/api-docs")).json()["paths"]
    others = [path for path in paths if not path.startswith("/api/v1/webhooks")]
    assert not [path for path in others if "unsubscribe" in path or "webhook" in path]
    assert "/api/v1/messages/inbound" in paths
