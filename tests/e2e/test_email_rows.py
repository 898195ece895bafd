"""Every e-mail row of the simulator's table, from the request to delivery and ledger."""

from dataclasses import dataclass

import pytest

from tests.contacts import key_of
from tests.e2e.harness import Harness, Integrator, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("stack")


@dataclass(frozen=True)
class Row:
    """Expected end of an e-mail to such an address."""

    local: str
    status: str = "DELIVERED"
    error_code: str | None = None
    copies: int = 1
    billed: int = 1
    attempts: int = 1
    suppressed: bool = False


ROWS = (
    Row("member"),
    Row("bounce", "UNDELIVERED", "BAD_DESTINATION", copies=0, suppressed=True),
    Row("soft-bounce"),
    Row("complaint", suppressed=True),
    Row("refused", "FAILED", "BAD_DESTINATION", copies=0, billed=0),
    Row("timeout-sent"),
    Row("timeout-lost", attempts=2),
)


@dataclass(frozen=True)
class Mailed:
    """All rows in progress concurrently."""

    integrator: Integrator
    addresses: dict[str, str]
    messages: dict[str, str]


def mail(integrator: Integrator, to: object, **fields: object) -> dict[str, object]:
    """Return a request body."""
    return {
        "merchantId": integrator.owner.merchant,
        "to": to,
        "subject": "Payment reminder",
        "body": "<p>Your membership <b>renews</b> tomorrow.</p>",
        "type": "TRANSACTIONAL",
        **fields,
    }


@pytest.fixture(scope="module")
async def mailed(harness: Harness) -> Mailed:
    """Send one e-mail for every row."""
    integrator = await harness.integrator()
    domain = f"{unique('d')}.example.com"
    addresses = {row.local: f"{row.local}@{domain}" for row in ROWS}
    messages = {}
    for local, to in addresses.items():
        answer = await integrator.post("/messages/email", mail(integrator, to), key=local)
        assert answer.status_code == 200, answer.text
        messages[local] = answer.json()["messageId"]
    return Mailed(integrator, addresses, messages)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.local)
async def test_a_mail_ends_as_the_table_says(mailed: Mailed, harness: Harness, row: Row) -> None:
    message_id, to = mailed.messages[row.local], mailed.addresses[row.local]
    view = await mailed.integrator.ended(message_id)
    if row.suppressed:  # a complaint follows the delivery that ended the message
        await until(lambda: _is_suppressed(harness, mailed.integrator, to))
    again = await mailed.integrator.post("/messages/email", mail(mailed.integrator, to))
    assert (
        Row(
            local=row.local,
            status=view["status"],
            error_code=view["errorCode"],
            copies=len([d for d in await harness.deliveries(to) if d["reference"].endswith("-1")])
            if row.attempts == 1
            else 1,
            billed=view["billedUnits"],
            attempts=view["attempts"],
            suppressed=again.json().get("code") == "RECIPIENT_SUPPRESSED",
        )
        == row
    )
    used = {"CAPTURE": (1, 0)} if row.billed else {"RELEASE": (1, 0)}
    assert await mailed.integrator.movements(message_id) == {"HOLD": (1, 0), **used}


async def _is_suppressed(harness: Harness, integrator: Integrator, to: str) -> bool:
    found = await harness.rows(
        "SELECT 1 FROM suppression WHERE tenant_id = :t AND contact_key = :key",
        t=integrator.owner.tenant_id,
        key=key_of(to),
    )
    return bool(found)


async def test_html_travels_with_a_plain_text_twin(mailed: Mailed, harness: Harness) -> None:
    await mailed.integrator.ended(mailed.messages["member"])
    [copy, *_] = await harness.deliveries(mailed.addresses["member"])
    assert "Payment reminder" in copy["content"]
    assert "Your membership renews tomorrow." in copy["content"]
    assert "<p>" not in copy["content"]


async def test_a_direct_mail_to_several_is_one_mail_metered_for_the_tenant(
    harness: Harness,
) -> None:
    integrator = await harness.integrator()
    domain = f"{unique('d')}.example.com"
    to = [f"ann@{domain}", f"bounce@{domain}", f"bob@{domain}"]
    body = {"to": to, "subject": "Hello", "body": "<p>Hi</p>"}
    answer = await integrator.post("/email/send", body)
    assert answer.status_code == 200, answer.text
    view = await integrator.ended(answer.json()["messageId"])
    assert (view["status"], view["merchantId"]) == ("UNDELIVERED", None)
    assert (view["billedUnits"], view["attempts"]) == (3, 1)
    assert [len(await harness.deliveries(address)) for address in to] == [1, 0, 1]
    assert await integrator.movements(view["messageId"]) == {}
    assert await integrator.day_total() == (1, 3)
    told = {event["recipient"]: event["phase"] for event in view["events"] if event["recipient"]}
    assert told == {to[0]: "delivered", to[1]: "bounced, permanent", to[2]: "delivered"}


async def test_marketing_mail_can_be_unsubscribed_with_one_click(harness: Harness) -> None:
    integrator = await harness.integrator()
    to = f"ann@{unique('d')}.example.com"
    consent = {
        "merchantId": integrator.owner.merchant,
        "channel": "EMAIL",
        "contact": to,
        "status": "OPT_IN",
        "source": "test",
    }
    assert (await integrator.post("/consents", consent)).status_code == 200
    answer = await integrator.post("/messages/email", mail(integrator, to, type="MARKETING"))
    assert answer.status_code == 200, answer.text
    await integrator.ended(answer.json()["messageId"])
    [(link,)] = await harness.rows(
        "SELECT details ->> 'unsubscribeUrl' FROM message WHERE tenant_id = :t AND public_id = :id",
        t=integrator.owner.tenant_id,
        id=int(answer.json()["messageId"]),
    )
    assert (await harness.http.post(link)).status_code == 200
    again = await integrator.post("/messages/email", mail(integrator, to, type="MARKETING"))
    assert (again.status_code, again.json()["code"]) == (403, "CONSENT_OPTED_OUT")
