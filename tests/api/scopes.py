"""Two merchants of one tenant and two of others, and how each calls each public route."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import httpx
from sqlalchemy import text

from models.session import Database
from tests.api.integrator import BATCH, CONSENT, DIRECT, EMAIL, GYM, SMS, VOICE, Integrator
from tests.messaging import BRAND, CAMPAIGN

Route: TypeAlias = tuple[str, str]
"""Method and path, as the application declares them."""

OWNER, SIBLING = "gym-a", "gym-b"
MERCHANT = "<merchant>"
"""Placeholder in a recipe for the requested merchant."""

PRIVATE: Final = ("+18135551234", "Main Street", "member@example.com", "Cycling class at ten")
"""Values of gym-a that no other caller may see."""

_NOT_THERE = (404, "MERCHANT_NOT_FOUND")
_NO_MESSAGE = (404, "MESSAGE_NOT_FOUND")
_NO_BATCH = (404, "BATCH_NOT_FOUND")
_NO_PAYMENT = (404, "PAYMENT_NOT_FOUND")
_NO_KEY = (404, "KEY_NOT_FOUND")
_NO_WEBHOOK = (404, "WEBHOOK_NOT_FOUND")
_NO_RIGHT = (403, "FORBIDDEN")

Shown: TypeAlias = Callable[[httpx.Response], list[Any]]


def _items(response: httpx.Response) -> list[Any]:
    found: list[Any] = response.json()
    return found


def _csv_lines(response: httpx.Response) -> list[Any]:
    return response.text.splitlines()[1:]


def _charges(response: httpx.Response) -> list[Any]:
    return [charges] if (charges := response.json()["finalCharges"]) else []


def _posted(response: httpx.Response) -> list[Any]:
    return [item for item in _items(response) if item["userAgent"]]


def _gym_a(response: httpx.Response) -> list[Any]:
    return [item for item in _items(response) if item["merchantId"] == OWNER]


def _of_the_name(response: httpx.Response) -> list[Any]:
    return [item for item in _items(response) if item["name"] == KEY["name"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a route is called for gym-a's data.

    `shows` marks a list; `optional` means that the merchant may be omitted, with `tenants_name_one`
    only by a merchant-scoped key. `refused` is the response to callers without access to the
    merchant. `under_own_name` is the response to a caller that requests gym-a's object under its
    own merchant; None: it acts on its own data. `reached` is the status for a caller with access: a
    merchant-scoped key, or the tenant's key where a merchant-scoped one may not or is bound to the
    price list (`by_the_tenant`).
    """

    query: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    shows: Shown | None = None
    optional: bool = False
    tenants_name_one: bool = False
    refused: tuple[int, str] = _NOT_THERE
    under_own_name: tuple[int, str] | None = None
    by_the_tenant: bool = False
    reached: int = 200


def _list(shows: Shown = _items, **query: str) -> Recipe:
    return Recipe(query={"merchantId": MERCHANT, **query}, shows=shows, optional=True)


def _write(body: dict[str, Any], **facts: Any) -> Recipe:
    return Recipe(body={**body, "merchantId": MERCHANT}, **facts)


def _range() -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {"from": str(today - timedelta(days=3)), "to": str(today - timedelta(days=1))}


UPGRADE: dict[str, Any] = {
    "channel": "SMS",
    "units": 10,
    "amountCents": 4900,
    "currency": "USD",
    "paymentMethodId": "pm_123",
    "referenceId": "another",
}
PRESENCE: dict[str, Any] = {
    "state": "ONLINE",
    "contact": "sip:x@192.0.2.1",
    "userAgent": "Desk",
    "expiresSeconds": 86_400,
}
KEY: dict[str, Any] = {"name": "Cycling class at ten", "scopes": ["read"]}
_API = "/api/v1"
_OF_ONE = f"{_API}/merchants/{{merchantId}}"
_MESSAGING = f"{_OF_ONE}/messaging"
_NUMBER = f"{_MESSAGING}/numbers/{{number}}"
_WEBHOOK = f"{_API}/webhooks/{{webhookId}}"


def recipes() -> dict[Route, Recipe]:
    """Return a recipe for each public route."""
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    contact = {"channel": "SMS", "contact": "+18135551234"}
    presence = {**PRESENCE, "username": "<username>"}
    return {
        ("GET", f"{_API}/merchants"): Recipe(shows=_gym_a, optional=True),
        ("POST", f"{_API}/merchants"): _write(GYM, refused=_NO_RIGHT, by_the_tenant=True),
        ("GET", _OF_ONE): Recipe(),
        ("GET", f"{_OF_ONE}/settings"): Recipe(),
        ("GET", f"{_OF_ONE}/usage/daily"): Recipe(query=_range(), shows=_items),
        ("POST", f"{_OF_ONE}/settings"): Recipe(
            body={"helpText": "Call."}, refused=_NO_RIGHT, by_the_tenant=True
        ),
        ("POST", f"{_API}/consents"): _write({**CONSENT, "status": "OPT_OUT"}),
        ("GET", f"{_API}/consents"): _list(),
        ("GET", f"{_API}/consents/history"): replace(_list(_items, **contact), optional=False),
        ("GET", f"{_API}/messages/inbound"): _list(),
        ("POST", f"{_API}/messages/sms"): _write(SMS),
        ("POST", f"{_API}/messages/voice"): _write({**VOICE, "sendAt": later}),
        ("POST", f"{_API}/messages/email"): _write(EMAIL),
        ("POST", f"{_API}/messages/quote"): _write({**SMS, "channel": "SMS"}),
        ("GET", f"{_API}/messages"): _list(),
        ("GET", f"{_API}/messages/{{messageId}}"): Recipe(refused=_NO_MESSAGE),
        ("POST", f"{_API}/messages/{{messageId}}/cancel"): Recipe(refused=_NO_MESSAGE),
        ("GET", f"{_API}/messages/{{messageId}}/recording"): Recipe(
            ids={"messageId": "call"}, refused=_NO_MESSAGE
        ),
        ("POST", f"{_API}/messages/batch"): _write(BATCH),
        ("GET", f"{_API}/messages/batch/{{batchId}}"): Recipe(refused=_NO_BATCH),
        ("GET", f"{_API}/messages/batch/{{batchId}}/messages"): Recipe(refused=_NO_BATCH),
        ("POST", f"{_API}/messages/batch/{{batchId}}/cancel"): Recipe(refused=_NO_BATCH),
        ("POST", f"{_API}/email/send"): _write(DIRECT),
        ("POST", f"{_API}/billing/upgrade"): _write(UPGRADE, by_the_tenant=True),
        ("GET", f"{_API}/billing/upgrades"): _list(),
        ("GET", f"{_API}/billing/upgrades/{{paymentId}}"): Recipe(refused=_NO_PAYMENT),
        ("GET", f"{_API}/billing/ledger"): replace(_list(), tenants_name_one=True),
        ("GET", f"{_API}/alerts"): _list(),
        ("GET", f"{_API}/reports/usage"): _list(_charges, **_range()),
        ("GET", f"{_API}/reports/usage.csv"): _list(_csv_lines, **_range()),
        ("POST", f"{_API}/voice/tts-calls"): _write(VOICE),
        ("GET", f"{_API}/voice/tts-calls"): _list(),
        ("GET", f"{_API}/voice/provisioning"): Recipe(query={"merchantId": MERCHANT}),
        ("POST", f"{_API}/voice/provisioning/rotate"): _write({}),
        ("POST", f"{_API}/voice/provisioning/presence"): _write(
            presence, under_own_name=(404, "VOICE_USER_NOT_FOUND")
        ),
        ("GET", f"{_API}/voice/provisioning/presence"): _list(_posted),
        ("POST", f"{_MESSAGING}/brand"): Recipe(body=BRAND, reached=409),
        ("GET", f"{_MESSAGING}/brand"): Recipe(under_own_name=(404, "BRAND_NOT_FOUND")),
        ("POST", f"{_MESSAGING}/campaigns"): Recipe(
            body={**CAMPAIGN, "campaignId": "<rejected>"},
            under_own_name=(409, "BRAND_NOT_APPROVED"),
        ),
        ("GET", f"{_MESSAGING}/campaigns"): Recipe(shows=_items),
        ("GET", f"{_MESSAGING}/numbers/available"): Recipe(),
        ("POST", f"{_MESSAGING}/numbers"): Recipe(body={"number": "<another>"}),
        ("GET", f"{_MESSAGING}/numbers"): Recipe(shows=_items),
        ("POST", f"{_NUMBER}/assignment"): Recipe(
            body={"campaignId": "<campaign>"}, under_own_name=(404, "NUMBER_NOT_FOUND")
        ),
        ("DELETE", _NUMBER): Recipe(under_own_name=(404, "NUMBER_NOT_FOUND")),
        ("GET", f"{_MESSAGING}/status"): Recipe(),
        ("POST", f"{_API}/keys"): _write({**KEY, "name": "Another"}),
        ("GET", f"{_API}/keys"): _list(_of_the_name),
        ("DELETE", f"{_API}/keys/{{keyId}}"): Recipe(refused=_NO_KEY, reached=204),
        ("POST", f"{_API}/webhooks"): _write({"url": "https://hooks.example.com/"}),
        ("GET", f"{_API}/webhooks"): _list(),
        ("GET", _WEBHOOK): Recipe(refused=_NO_WEBHOOK),
        ("POST", _WEBHOOK): Recipe(body={"description": "x"}, refused=_NO_WEBHOOK),
        ("DELETE", _WEBHOOK): Recipe(refused=_NO_WEBHOOK, reached=204),
        ("POST", f"{_WEBHOOK}/rotate-secret"): Recipe(refused=_NO_WEBHOOK),
        ("POST", f"{_WEBHOOK}/test"): Recipe(refused=_NO_WEBHOOK),
        ("GET", f"{_WEBHOOK}/deliveries"): Recipe(shows=_items, refused=_NO_WEBHOOK),
        ("POST", f"{_WEBHOOK}/deliveries/{{deliveryId}}/redeliver"): Recipe(refused=_NO_WEBHOOK),
        ("POST", f"{_WEBHOOK}/redeliver"): Recipe(
            body={"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()},
            refused=_NO_WEBHOOK,
        ),
    }


@dataclass(frozen=True, slots=True)
class World:
    """gym-a with one of everything, and the callers."""

    database: Database
    tenant: Integrator
    own: Integrator
    sibling: Integrator
    stranger: Integrator
    namesake: Integrator
    merchant_id: int
    facts: dict[str, str]
    """Ids of gym-a's objects, by their names in recipes."""

    async def ask(
        self, who: Integrator, route: Route, recipe: Recipe, merchant: str | None
    ) -> httpx.Response:
        """Call a route for gym-a's object under a merchant's id, or under none."""
        method, path = route
        facts = {**self.facts, "merchant": merchant or ""}
        ids = {name: facts[fact] for name, fact in recipe.ids.items()}
        names = {"merchantId": merchant or "", "messageId": facts["message"], **facts, **ids}
        names["paymentId"], names["keyId"] = facts["payment"], facts["key"]
        names["batchId"] = facts["batch"]
        names |= {"webhookId": facts["webhook"], "deliveryId": facts["delivery"]}
        query = {name: _filled(value, facts) for name, value in recipe.query.items()}
        if merchant is None:
            query.pop("merchantId", None)
        body = {name: _filled(value, facts) for name, value in recipe.body.items()}
        return await who.client.request(
            method,
            path.format(**{name: quote(value) for name, value in names.items()}),
            params=query,
            json=body or None,
            headers=who.headers,
        )

    async def rows(self) -> list[Any]:
        """Return all rows of gym-a."""
        async with self.database.read() as db:
            tables = (await db.execute(text(_TABLES))).all()
            parts = [_rows_of(table, of_merchants) for table, of_merchants in tables]
            values = {"t": self.tenant.tenant_id, "m": self.merchant_id}
            found = await db.execute(text(f"{' UNION ALL '.join(parts)} ORDER BY 1, 2"), values)
            return [tuple(row) for row in found]


# Without the keys that tests create, numbers and lines of batches, which gym-b has as well, and
# rate limits.
_TABLES = """
    SELECT table_name, bool_or(column_name = 'merchant_id') FROM information_schema.columns
     WHERE table_schema = 'public'
       AND table_name NOT IN ('api_key', 'sender_number', 'batch_line', 'request_bucket')
     GROUP BY table_name HAVING bool_or(column_name = 'tenant_id') ORDER BY 1
"""


def _rows_of(table: str, of_merchants: bool) -> str:
    own = {True: "AND t.merchant_id = :m", False: "AND t.id = :m" if table == "merchant" else ""}
    return (
        f"SELECT '{table}', to_jsonb(t)::text FROM {table} t"
        f" WHERE tenant_id = :t {own[of_merchants]}"
    )


def _filled(value: Any, facts: dict[str, str]) -> Any:
    if isinstance(value, str) and value.startswith("<") and value[1:-1] in facts:
        return facts[value[1:-1]]
    return value
