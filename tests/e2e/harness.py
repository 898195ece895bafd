"""A stack on a database and a Temporal server of its own, and an integrator that sends."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import httpx
from sqlalchemy import text
from temporalio.client import Client

from cli.dev.temporal import EmbeddedTemporal
from models.enums import TERMINAL
from models.rules.tenants.credentials import hash_credential, new_credentials
from models.session import Database
from models.tables.tenant import ApiKey
from tests.factories import Owner, make_owner
from tests.secret_values import SIMULATOR_SECRET
from tests.stack import Stack

ORDINARY = "1234"

_lines = count()


def number(last_four: str = ORDINARY) -> str:
    """Return a number of this run; its last four digits select the simulator's outcome."""
    area, exchange = divmod(next(_lines), 800)
    return f"+1{300 + area}{200 + exchange}{last_four}"


async def until(
    true: Callable[[], Awaitable[bool]], within: float = 30, every: float = 0.1
) -> None:
    """Wait until a condition is true; the timeout is long, because the machine may be busy."""
    limit = time.monotonic() + within
    while not await true():
        assert time.monotonic() < limit, f"not within {within} s"
        await asyncio.sleep(every)


@dataclass(frozen=True, kw_only=True)
class Harness:
    """The stack, with access to its internals."""

    stack: Stack
    temporal: EmbeddedTemporal
    database: Database
    http: httpx.AsyncClient

    async def integrator(self, *, sms_limit: int = 1000, credits: int = 0) -> "Integrator":
        """Create a tenant."""
        owner = await make_owner(self.database, sms_limit=sms_limit, credits=credits)
        return Integrator(self, owner, owner.headers)

    async def rows(self, statement: str, **values: object) -> list[Any]:
        """Query the database."""
        async with self.database.read() as db:
            return [tuple(row) for row in await db.execute(text(statement), values)]

    async def deliveries(self, to: str | None = None) -> list[dict[str, Any]]:
        """Return the copies that reached a recipient."""
        answer = await self.http.get(
            f"{self.stack.simulator_url}/deliveries", params={} if to is None else {"to": to}
        )
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def copies(self, numbers: Iterable[str]) -> list[int]:
        """Return how many copies reached each of these numbers."""
        return [len(await self.deliveries(to)) for to in numbers]

    async def faults(self, **faults: object) -> None:
        """Set faults of the provider; without arguments, clear them."""
        url = f"{self.stack.simulator_url}/faults"
        ask = partial(self.http.request, url=url, headers=self.stack.console_headers)
        answer = await (ask(method="POST", json=faults) if faults else ask(method="DELETE"))
        assert answer.is_success

    async def webhook(
        self, reference: str, body: Mapping[str, Any], *, secret: str = SIMULATOR_SECRET
    ) -> httpx.Response:
        """Send a report as the simulator does, signed with the given secret."""
        raw, at = json.dumps(body).encode(), int(time.time())
        digest = hmac.new(secret.encode(), b"%d." % at + raw, hashlib.sha256).hexdigest()
        return await self.http.post(
            f"{self.stack.api_url}/webhooks/simulator/{reference}",
            content=raw,
            headers={"X-Simulator-Signature": f"t={at},v1={digest}"},
        )

    async def reports(self, reference: str) -> list[dict[str, Any]]:
        """Return the webhook bodies that the simulator sent, or would send, for an attempt."""
        answer = await self.http.get(
            f"{self.stack.simulator_url}/messages", params={"reference": reference}
        )
        return [
            {
                "eventId": event["eventId"],
                "messageId": item["id"],
                "reference": reference,
                "channel": item["channel"],
                "status": event["status"],
                "at": event["at"],
                "errorCode": event.get("errorCode"),
            }
            for item in answer.json()["items"]
            for event in item["events"]
        ]

    async def provider_message(self, reference: str) -> str:
        """Return the simulator's id of an attempt's message."""
        answer = await self.http.get(
            f"{self.stack.simulator_url}/messages", params={"reference": reference}
        )
        message_id: str = answer.json()["items"][0]["id"]
        return message_id

    async def is_known(self, reference: str) -> bool:
        """Return whether the simulator has accepted the message of an attempt."""
        answer = await self.http.get(
            f"{self.stack.simulator_url}/messages", params={"reference": reference}
        )
        return bool(answer.json()["items"])

    async def workflow(self, client: Client, integrator: "Integrator", message_id: str) -> str:
        """Return the id of a message's workflow."""
        query = f"HexavoxTenant = {integrator.owner.tenant_id} AND HexavoxMessageId = {message_id}"
        found: list[str] = []

        async def known() -> bool:
            found[:] = [run.id async for run in client.list_workflows(query)]
            return bool(found)

        await until(known)
        return found[0]


@dataclass(frozen=True)
class Integrator:
    """A tenant with one merchant that uses the API over HTTP."""

    harness: Harness
    owner: Owner
    headers: dict[str, str]
    api: str = "api"
    """The API process that it calls."""

    async def send(
        self, to: str, *, key: str | None = None, message: str = "Hello", **fields: object
    ) -> httpx.Response:
        """Send one SMS."""
        body = {
            "merchantId": self.owner.merchant,
            "to": to,
            "message": message,
            "type": "TRANSACTIONAL",
            **fields,
        }
        return await self.post("/messages/sms", body, key=key)

    async def post(self, path: str, body: object, *, key: str | None = None) -> httpx.Response:
        """Send a POST."""
        extra = {} if key is None else {"Idempotency-Key": key}
        return await self.harness.http.post(
            f"{self.harness.stack.url(self.api)}/api/v1{path}",
            json=body,
            headers={**self.headers, **extra},
        )

    async def get(self, path: str) -> httpx.Response:
        """Send a GET."""
        return await self.harness.http.get(
            f"{self.harness.stack.url(self.api)}/api/v1{path}", headers=self.headers
        )

    async def accepted(self, to: str, **fields: Any) -> str:
        """Send, which must be accepted; return the message's id."""
        answer = await self.send(to, **fields)
        assert answer.status_code == 200, answer.text
        message_id: str = answer.json()["messageId"]
        return message_id

    async def view(self, message_id: str) -> dict[str, Any]:
        """Return a message through the API."""
        answer = await self.get(f"/messages/{message_id}")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def ended(self, message_id: str, *, within: float = 40) -> dict[str, Any]:
        """Wait for the end of a message; return it."""
        view: dict[str, Any] = {}

        async def over() -> bool:
            view.update(await self.view(message_id))
            return view["status"] in TERMINAL

        await until(over, within)
        return view

    async def all_ended(self, *, within: float = 40) -> None:
        """Wait until the tenant has no open messages."""

        async def over() -> bool:
            return not await self.harness.rows(
                "SELECT 1 FROM message WHERE tenant_id = :tenant AND completed_at IS NULL LIMIT 1",
                tenant=self.owner.tenant_id,
            )

        try:
            await until(over, within)
        except AssertionError as error:
            raise AssertionError(f"still open: {await self.open_messages()}") from error

    async def open_messages(self) -> list[Any]:
        """Return the open messages with their attempts."""
        return await self.harness.rows(
            "SELECT m.id, m.to_contact, m.status, (SELECT array_agg(a.state ORDER BY number)"
            " FROM attempt a WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id)"
            " FROM message m WHERE tenant_id = :tenant AND completed_at IS NULL",
            tenant=self.owner.tenant_id,
        )

    async def merchant_key(self) -> "Integrator":
        """Return the same integrator with a merchant-scoped key."""
        pair = new_credentials()
        async with self.harness.database.transaction() as db:
            db.add(
                ApiKey(
                    tenant_id=self.owner.tenant_id,
                    merchant_id=self.owner.merchant_id,
                    name="of the merchant",
                    key=pair.key,
                    key_hash=hash_credential(pair.key),
                    secret_hash=hash_credential(pair.secret),
                    created_at=datetime.now(UTC),
                )
            )
        return replace(self, headers={"X-API-KEY": pair.key, "X-API-SECRET": pair.secret})

    async def movements(self, message_id: str) -> dict[str, tuple[int, int]]:
        """Return the ledger entries of a message: units, and the part from credits, by kind."""
        return {
            kind: (units, credit_units)
            for kind, units, credit_units in await self.harness.rows(
                "SELECT e.kind, e.units, e.credit_units FROM ledger_entry e JOIN message m"
                "    ON m.tenant_id = e.tenant_id AND m.id = e.message_id"
                " WHERE e.tenant_id = :tenant AND m.public_id = :message",
                tenant=self.owner.tenant_id,
                message=int(message_id),
            )
        }

    async def balances(self) -> dict[str, int]:
        """Return the merchant's SMS accounts: allowance of this month, and credits."""
        [row] = await self.harness.rows(
            "SELECT am.used, am.held, am.credits_used, ca.available, ca.held"
            " FROM credit_account ca JOIN allowance_month am"
            "   USING (tenant_id, merchant_id, channel)"
            " WHERE ca.tenant_id = :tenant AND ca.channel = 'SMS'",
            tenant=self.owner.tenant_id,
        )
        names = ("used", "held", "credits_used", "credits", "credits_held")
        return dict(zip(names, row, strict=True))

    async def usage(self) -> dict[str, tuple[int, str]]:
        """Return the usage records: units and state by message."""
        return {
            str(message): (units, state)
            for message, units, state in await self.harness.rows(
                "SELECT m.public_id, u.units, u.state FROM usage_record u JOIN message m"
                "    ON m.tenant_id = u.tenant_id AND m.id = u.message_id"
                " WHERE u.tenant_id = :tenant",
                tenant=self.owner.tenant_id,
            )
        }

    async def day_total(self) -> tuple[int, int]:
        """Return messages and units over all days."""
        [(messages, units)] = await self.harness.rows(
            "SELECT COALESCE(sum(messages), 0)::int, COALESCE(sum(units), 0)::int FROM usage_day"
            " WHERE tenant_id = :tenant",
            tenant=self.owner.tenant_id,
        )
        return messages, units

    async def everything(self) -> dict[str, list[Any]]:
        """Return all rows that a report could change, to compare before and after."""
        tables = (
            "message",
            "attempt",
            "receipt",
            "ledger_entry",
            "allowance_month",
            "credit_account",
            "usage_record",
            "usage_day",
            "usage_correction",
        )
        return {
            table: await self.harness.rows(
                f"SELECT to_jsonb(t) - 'sweep_at' FROM {table} t WHERE tenant_id = :tenant"
                " ORDER BY 1",
                tenant=self.owner.tenant_id,
            )
            for table in tables
        }


async def shown_of(client: Client, workflow_id: str) -> str:
    """Return all that Temporal stores of a workflow: history, description, decoded payloads."""
    handle = client.get_workflow_handle(workflow_id)
    history = (await handle.fetch_history()).to_json()
    description = str((await handle.describe()).raw_description)
    return "\n".join([history, description, *_decoded(json.loads(history))])


def _decoded(value: Any) -> Iterator[str]:
    """Walk a document; yield every string that is base64, decoded."""
    if isinstance(value, str):
        try:
            yield base64.b64decode(value, validate=True).decode(errors="replace")
        except ValueError:
            return
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _decoded(part)
