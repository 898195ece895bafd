"""Bodies of batches, and what is stored of them."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import text

from models.session import Database
from tests.api.integrator import Integrator

PATH = "/messages/batch"
NDJSON = "application/x-ndjson"
HEAD: dict[str, Any] = {"merchantId": "gym-a", "channel": "SMS"}


def line(number: int, **more: Any) -> dict[str, Any]:
    """Return a line whose recipient and text have its number."""
    to = f"+1813555{number % 10_000:04d}"
    return {"to": to, "message": f"Class {number}", "type": "REMINDER", **more}


def batch(count: int, **more: Any) -> dict[str, Any]:
    """Return a batch as JSON is made of it."""
    return {**HEAD, "messages": [line(n) for n in range(1, count + 1)], **more}


def ndjson(document: dict[str, Any]) -> bytes:
    """Return the same batch as NDJSON."""
    head = {name: value for name, value in document.items() if name != "messages"}
    return b"".join(json.dumps(one).encode() + b"\n" for one in [head, *document["messages"]])


async def send(
    who: Integrator, body: bytes, content_type: str = NDJSON, key: str | None = None
) -> httpx.Response:
    """Send the bytes of a batch."""
    extra = {} if key is None else {"Idempotency-Key": key}
    return await who.client.post(
        f"/api/v1{PATH}",
        content=body,
        headers={**who.headers, **extra, "Content-Type": content_type},
    )


async def stored(database: Database, tenant_id: int) -> Sequence[Any]:
    """Return the batches of a tenant, each with its lines, the oldest first."""
    statement = """
        SELECT b.*, ARRAY(SELECT bl.request FROM batch_line bl
                           WHERE bl.tenant_id = b.tenant_id AND bl.batch_id = b.id
                           ORDER BY bl.line) AS requests,
               ARRAY(SELECT bl.idempotency_key FROM batch_line bl
                      WHERE bl.tenant_id = b.tenant_id AND bl.batch_id = b.id
                      ORDER BY bl.line) AS keys,
               ARRAY(SELECT bl.line FROM batch_line bl
                      WHERE bl.tenant_id = b.tenant_id AND bl.batch_id = b.id
                      ORDER BY bl.line) AS lines
          FROM batch b WHERE b.tenant_id = :tenant_id ORDER BY b.id
    """
    async with database.read() as db:
        found: Sequence[Any] = (await db.execute(text(statement), {"tenant_id": tenant_id})).all()
        return found
