"""E-mail: of a merchant, and direct e-mail of the tenant to a list of recipients."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from models.enums import (
    AttemptState,
    Channel,
    DeliveryMode,
    MessageStatus,
    ReportStatus,
    SuppressionReason,
)
from models.session import Database
from models.tables.ledger import CreditAccount, LedgerEntry
from models.tables.message import Attempt, Message, Receipt
from tests.api.doubles import FakeStarter
from tests.api.integrator import (
    CONSENT,
    DIRECT,
    EMAIL,
    GYM,
    Integrator,
    make_merchant,
    suppress_contact,
)

MerchantKey = Callable[[int, int], Awaitable[Integrator]]
MEMBER = "member@example.com"
OPTED_OUT = {**CONSENT, "channel": "EMAIL", "contact": MEMBER, "status": "OPT_OUT"}


async def row_of(database: Database, message_id: str) -> Message:
    """Read the row."""
    async with database.read() as db:
        return (
            await db.scalars(select(Message).where(col(Message.public_id) == int(message_id)))
        ).one()


async def test_without_credentials_everything_is_401(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/api/v1/messages/email", json=EMAIL),
        await client.post("/api/v1/email/send", json=DIRECT),
    ]
    assert [answer.status_code for answer in answers] == [401] * 2


async def test_another_tenants_merchant_and_mail_are_404(
    gym: Integrator, stranger: Integrator
) -> None:
    sent = (await gym.post("/email/send", DIRECT)).json()["messageId"]
    answers = [
        await stranger.post("/messages/email", EMAIL),
        await stranger.post("/email/send", {**DIRECT, "merchantId": "gym-a"}),
        await stranger.get(f"/messages/{sent}"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 3


@pytest.mark.parametrize("path", ["/messages/email", "/email/send"])
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"subject": ""}, 400),
        ({"subject": "x" * 998}, 200),
        ({"subject": "x" * 999}, 400),
        ({"subject": "one\nBcc: two@example.com"}, 400),
        ({"subject": "one\rtwo"}, 400),
        ({"subject": "one\n"}, 400),
        ({"subject": "one\u2028two"}, 400),
        ({"subject": "one\u0085two"}, 400),
        ({"subject": "one\x1b[31mtwo"}, 400),
        ({"subject": "one\x07"}, 400),
        ({"subject": "invoice\u202efdp.exe"}, 400),
        ({"subject": "Grüße an 株式会社 👋"}, 200),
        ({"body": ""}, 400),
        ({"body": "x" * 512 * 1024}, 200),
        ({"body": "x" * (512 * 1024 + 1)}, 400),
        ({"body": "ä" * (256 * 1024 + 1)}, 400),
        ({"replyTo": "desk@gym.example"}, 200),
        ({"replyTo": "nobody"}, 400),
        ({"to": "nobody"}, 400),
        ({"to": "a@b@example.com"}, 400),
        ({"to": "a@example.com\nb@example.com"}, 400),
        ({"type": "SPAM"}, 400),
        ({"message": "x"}, 400),
    ],
)
async def test_limits(gym: Integrator, path: str, change: dict[str, Any], status: int) -> None:
    example = EMAIL if path == "/messages/email" else DIRECT
    answer = await gym.post(path, {**example, **change})
    assert answer.status_code == status, answer.text[:500]


async def test_a_list_holds_one_to_fifty_different_recipients(gym: Integrator) -> None:
    many = [f"member{number}@example.com" for number in range(51)]
    for to, status in (([], 400), (many[:1], 200), (many[:50], 200), (many, 400), ([1], 400)):
        assert (await gym.post("/email/send", {**DIRECT, "to": to})).status_code == status
    assert (await gym.post("/messages/email", {**EMAIL, "to": [MEMBER]})).status_code == 400


async def test_a_recipient_named_twice_counts_once(gym: Integrator) -> None:
    to = [MEMBER, "other@example.com", "Member@Example.com"]
    sent = (await gym.post("/email/send", {**DIRECT, "to": to})).json()["messageId"]
    view = (await gym.get(f"/messages/{sent}")).json()
    assert view["units"] == 2
    assert [address.lower() for address in view["recipients"]] == [MEMBER, "other@example.com"]
    assert view["to"] == view["recipients"][0]


async def test_a_direct_mail_takes_no_allowance_and_no_credits(
    gym: Integrator, database: Database, starter: FakeStarter
) -> None:
    await gym.post("/merchants", {**GYM, "emailLimit": 0})
    sent = (await gym.post("/email/send", DIRECT)).json()["messageId"]
    row = await row_of(database, sent)
    assert (row.merchant_id, row.funded, row.held_allowance, row.held_credits) == (
        None,
        False,
        0,
        0,
    )
    async with database.read() as db:
        moved = await db.scalar(
            select(func.count())
            .select_from(LedgerEntry)
            .where(col(LedgerEntry.tenant_id) == gym.tenant_id)
        )
    assert moved == 0
    view = (await gym.get(f"/messages/{sent}")).json()
    assert (view["merchantId"], view["type"]) == (None, "TRANSACTIONAL")
    assert [start.merchant for start in starter.started] == [""]


async def test_a_direct_mail_for_a_merchant_is_paid_by_it(gym: Integrator) -> None:
    await gym.post("/merchants", {**GYM, "emailLimit": 1})
    order = {**DIRECT, "merchantId": "gym-a", "to": [MEMBER, "other@example.com"]}
    assert (await gym.post("/email/send", order)).status_code == 402
    assert (await gym.post("/email/send", {**order, "to": MEMBER})).status_code == 200


async def test_a_merchants_key_sends_for_its_own_and_sees_no_mail_of_the_tenant(
    gym: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, gym.tenant_id, "own")
    async with database.transaction() as db:
        db.add_all(_accounts(gym.tenant_id, own))
    key = await merchant_key(gym.tenant_id, own)
    of_tenant = (await gym.post("/email/send", DIRECT)).json()["messageId"]
    mine = (await key.post("/email/send", DIRECT)).json()["messageId"]
    assert [m["messageId"] for m in (await key.get("/messages")).json()] == [mine]
    assert (await key.get(f"/messages/{mine}")).json()["merchantId"] == "own"
    assert (await key.get(f"/messages/{of_tenant}")).status_code == 404
    assert (await key.get("/messages", to=MEMBER)).json()[0]["messageId"] == mine
    assert (await key.post("/email/send", {**DIRECT, "merchantId": "gym-a"})).status_code == 404


async def test_marketing_is_refused_on_the_direct_route_alone(gym: Integrator) -> None:
    answer = await gym.post("/email/send", {**DIRECT, "type": "MARKETING"})
    assert (answer.status_code, answer.json()["code"]) == (403, "CHANNEL_NOT_ALLOWED")
    without = await gym.post("/messages/email", {**EMAIL, "type": "MARKETING"})
    assert (without.status_code, without.json()["code"]) == (403, "CONSENT_REQUIRED")
    await gym.post("/consents", {**OPTED_OUT, "status": "OPT_IN"})
    assert (await gym.post("/messages/email", {**EMAIL, "type": "MARKETING"})).status_code == 200


async def test_from_must_be_an_address_of_the_tenant(gym: Integrator) -> None:
    answer = await gym.post("/email/send", {**DIRECT, "from": "ceo@bank.example"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "from")
    for wanted, used in (
        ({}, "desk@gym.example"),
        ({"from": "No-Reply@gym.example"}, "no-reply@gym.example"),
    ):
        sent = (await gym.post("/email/send", {**DIRECT, **wanted})).json()["messageId"]
        assert (await gym.get(f"/messages/{sent}")).json()["from"] == used


async def test_without_any_address_it_is_403(integrator: Integrator, harness: None) -> None:
    answer = await integrator.post("/email/send", DIRECT)
    assert (answer.status_code, answer.json()["code"]) == (403, "SENDER_NOT_REGISTERED")


async def test_one_blocked_recipient_refuses_the_whole_list(
    gym: Integrator, starter: FakeStarter
) -> None:
    await gym.post("/consents", OPTED_OUT)
    order = {**DIRECT, "merchantId": "gym-a", "to": ["other@example.com", "MEMBER@example.com"]}
    answer = await gym.post("/email/send", order)
    assert (answer.status_code, answer.json()["code"]) == (403, "CONSENT_OPTED_OUT")
    assert starter.started == []
    assert (await gym.post("/email/send", {**order, "to": "other@example.com"})).status_code == 200


async def test_what_is_suppressed_for_one_merchant_is_suppressed_for_direct_mail_too(
    gym: Integrator, database: Database
) -> None:
    other = await make_merchant(database, gym.tenant_id, "other")
    await suppress_contact(database, gym.tenant_id, other, Channel.EMAIL, MEMBER)
    answer = await gym.post("/email/send", {**DIRECT, "to": ["a@example.com", MEMBER]})
    assert (answer.status_code, answer.json()["code"]) == (403, "RECIPIENT_SUPPRESSED")
    # Suppression is per merchant: gym-a may still write.
    assert (await gym.post("/messages/email", EMAIL)).status_code == 200


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (SuppressionReason.HARD_BOUNCE, 200),
        (SuppressionReason.COMPLAINT, 403),
        (SuppressionReason.CARRIER_OPT_OUT, 403),
    ],
)
async def test_an_opt_in_lifts_a_hard_bounce_and_nothing_else(
    gym: Integrator, database: Database, reason: SuppressionReason, status: int
) -> None:
    merchant = (await row_of(database, await _sent(gym))).merchant_id or 0
    for owner in (merchant, 0):
        await suppress_contact(database, gym.tenant_id, owner, Channel.EMAIL, MEMBER, reason)
    blocked = await gym.post("/messages/email", EMAIL)
    assert (blocked.status_code, blocked.json()["code"]) == (403, "RECIPIENT_SUPPRESSED")
    await gym.post("/consents", {**OPTED_OUT, "status": "OPT_IN", "source": "desk"})
    assert (await gym.post("/messages/email", EMAIL)).status_code == status
    assert (await gym.post("/email/send", DIRECT)).status_code == status
    told = await gym.get("/consents/history", merchantId="gym-a", channel="EMAIL", contact=MEMBER)
    restored = [("RESTORED", "desk")] if status == 200 else []
    assert [(change["status"], change["source"]) for change in told.json()] == [
        *restored,
        ("OPT_IN", "desk"),
        ("SUPPRESSED", "simulator: bounced, permanent"),
    ]


async def test_a_merchants_opt_in_never_lifts_what_is_the_tenants(
    gym: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, gym.tenant_id, "own")
    await suppress_contact(database, gym.tenant_id, 0, Channel.EMAIL, MEMBER)
    key = await merchant_key(gym.tenant_id, own)
    await key.post("/consents", {**OPTED_OUT, "merchantId": "own", "status": "OPT_IN"})
    assert (await gym.post("/email/send", DIRECT)).status_code == 403


async def test_a_direct_mail_is_found_by_any_of_its_recipients(gym: Integrator) -> None:
    to = [MEMBER, "Second@Example.com", "third@example.com"]
    sent = (await gym.post("/email/send", {**DIRECT, "to": to})).json()["messageId"]
    for address in ("member@EXAMPLE.com", "second@example.com", "third@example.com"):
        found = (await gym.get("/messages", to=address)).json()
        assert [message["messageId"] for message in found] == [sent]
        assert found[0]["recipients"] == to
    assert (await gym.get("/messages", to="fourth@example.com")).json() == []
    assert (await gym.get("/messages", to=MEMBER, status="SENT")).json() == []


async def test_the_history_has_the_result_of_each_recipient(
    gym: Integrator, database: Database
) -> None:
    to = ["bounce@example.com", "soft-bounce@example.com", "complaint@example.com"]
    sent = (await gym.post("/email/send", {**DIRECT, "to": to})).json()["messageId"]
    who: dict[str, Any] = {
        "tenant_id": gym.tenant_id,
        "provider": "simulator",
        "message_id": (await row_of(database, sent)).id,
    }
    at = datetime.now(UTC) + timedelta(seconds=1)
    async with database.transaction() as db:
        db.add(Attempt(**who, number=1, state=AttemptState.ACCEPTED, requested_at=at, deadline=at))
        await db.flush()
        for number, (recipient, phase, status) in enumerate(
            (
                (to[0], "bounced, permanent", ReportStatus.UNDELIVERED),
                (to[1], "bounced, transient", ReportStatus.SENT),
                (to[1], "delivered", ReportStatus.DELIVERED),
                (to[2], "delivered", ReportStatus.DELIVERED),
                (to[2], "complained", ReportStatus.COMPLAINED),
            )
        ):
            moment = at + timedelta(seconds=number + 1)
            db.add(
                Receipt(
                    **who,
                    event_id=f"{sent}-{number}",
                    attempt=1,
                    status=status,
                    phase=phase,
                    recipient=recipient,
                    reported_at=moment,
                    received_at=moment,
                    look_at=moment,
                )
            )
    events = (await gym.get(f"/messages/{sent}")).json()["events"]
    told = [(e["status"], e["phase"], e["recipient"]) for e in events if e["phase"]]
    assert told == [
        ("UNDELIVERED", "bounced, permanent", to[0]),
        ("SENT", "bounced, transient", to[1]),
        ("DELIVERED", "delivered", to[1]),
        ("DELIVERED", "delivered", to[2]),
        ("DELIVERED", "complained", to[2]),
    ]


async def test_one_key_is_one_email_however_often_it_is_sent(
    gym: Integrator, starter: FakeStarter
) -> None:
    first = await gym.post("/email/send", DIRECT, key="k")
    again = await gym.post("/email/send", DIRECT, key="k")
    other = await gym.post("/email/send", {**DIRECT, "to": "x@example.com"}, key="k")
    assert again.json() == first.json()
    assert (again.headers["Idempotency-Replayed"], other.status_code) == ("true", 422)
    assert {start.public_id for start in starter.started} == {int(first.json()["messageId"])}
    assert MessageStatus(first.json()["status"]) is MessageStatus.QUEUED


async def _sent(gym: Integrator) -> str:
    message_id: str = (await gym.post("/messages/email", EMAIL)).json()["messageId"]
    return message_id


def _accounts(tenant_id: int, merchant_id: int) -> list[Any]:
    return [
        CreditAccount(
            delivery_mode=DeliveryMode.SIMULATOR,
            tenant_id=tenant_id,
            merchant_id=merchant_id,
            channel=channel,
            available=0,
            held=0,
        )
        for channel in Channel
    ]
