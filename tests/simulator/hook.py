"""A receiver of webhooks of the simulator, and a sender that signs as Standard Webhooks says."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.simulator.harness import TOKEN, unique

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def new_secret() -> str:
    """Return a new secret."""
    return "whsec_" + base64.b64encode(unique("a secret of 24 bytes").encode()).decode()


def sent_at(age: timedelta = timedelta()) -> datetime:
    """Return a moment of that age, to the second."""
    return (datetime.now(UTC) - age).replace(microsecond=0)


def signed_by(*secrets: str, id: str, at: datetime, body: str) -> dict[str, str]:
    """Return the headers of a webhook that is signed by each secret."""
    signatures = [Webhook(secret).sign(id, at, body) for secret in secrets]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class Hook:
    """One receiver, as its testers and its senders use it."""

    def __init__(self, http: httpx.AsyncClient, name: str | None = None) -> None:
        self._http = http
        self.path = f"/hooks/{name or unique('hook')}"

    async def send(
        self, *secrets: str, id: str = "msg_1", body: str = '{"type":"test"}', **options: Any
    ) -> httpx.Response:
        """Post a webhook, signed by each secret now."""
        headers = signed_by(*secrets, id=id, at=sent_at(), body=body) if secrets else {}
        return await self.post(body, headers, **options)

    async def post(
        self, body: str | bytes, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Post a body with these headers and no token."""
        given = {"Content-Type": "application/json"} | (headers or {})
        raw = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
        return await self._http.post(self.path, content=body, headers=raw, **options)

    async def behave(self, **fields: Any) -> dict[str, Any]:
        """Change the behaviour, which must succeed."""
        answer = await self.try_to_behave(fields)
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def try_to_behave(self, fields: Any) -> httpx.Response:
        """Change the behaviour."""
        headers = BEARER | {"Content-Type": "application/json"}
        content = json.dumps(fields)
        return await self._http.post(f"{self.path}/behaviour", content=content, headers=headers)

    async def behaviour(self) -> dict[str, Any]:
        """Return the behaviour."""
        view: dict[str, Any] = (await self._http.get(f"{self.path}/behaviour")).json()
        return view

    async def listing(self, **query: Any) -> dict[str, Any]:
        """Return the whole list."""
        answer = await self._http.get(self.path, params=query)
        assert answer.status_code == 200, answer.text
        listing: dict[str, Any] = answer.json()
        return listing

    async def items(self, **query: Any) -> list[dict[str, Any]]:
        """Return the items of the list."""
        items: list[dict[str, Any]] = (await self.listing(**query))["items"]
        return items

    async def delete(self, what: str = "") -> dict[str, Any]:
        """Delete what is stored, or with `/behaviour` the behaviour."""
        answer = await self._http.delete(self.path + what, headers=BEARER)
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view
