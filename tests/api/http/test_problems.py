"""Every error is a problem response with a request id and without secrets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from models.logs import Formatter
from models.settings import Settings
from tests.api.doubles import FakeSending
from tests.api.integrator import GYM, SMS, Integrator


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Formatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
async def lines() -> AsyncIterator[list[str]]:
    """Our log lines as they would be written."""
    handler = _Lines()
    ours = logging.getLogger("api")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    yield handler.lines
    ours.removeHandler(handler)
    ours.setLevel(logging.NOTSET)


async def test_a_bug_is_a_500_with_an_id_and_nothing_else(
    integrator: Integrator, sending: FakeSending, lines: list[str]
) -> None:
    sending.error = RuntimeError("+18135551234 must not be seen")
    response = await integrator.post("/messages/sms", SMS)
    assert response.status_code == 500
    assert response.json() == {
        "type": "urn:hexavox:problem:INTERNAL_ERROR",
        "title": "Something went wrong on our side",
        "status": 500,
        "detail": "An unexpected error occurred. Repeat the request with the same "
        "Idempotency-Key; if it fails again, report the requestId.",
        "code": "INTERNAL_ERROR",
        "requestId": response.headers["X-Request-Id"],
    }
    logged = "\n".join(lines)
    assert "builtins.RuntimeError" in logged
    assert response.headers["X-Request-Id"] in logged
    assert "8135551234" not in logged


async def test_a_request_leaves_one_line_without_contents(
    integrator: Integrator, lines: list[str]
) -> None:
    await integrator.get("/consents", contact="+18135551234")
    (line,) = (line for line in map(json.loads, lines) if line["message"] == "request")
    assert line["tenant_id"] == integrator.tenant_id
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v1/consents", 200)
    assert "8135551234" not in "".join(lines)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("order-77.a:b_c", True),
        ("x" * 64, True),
        ("short", False),
        ("x" * 65, False),
        ("line\tbreak", False),
        ("<script>1234</script>", False),
    ],
)
async def test_a_sane_request_id_is_kept(client: httpx.AsyncClient, given: str, kept: bool) -> None:
    response = await client.get("/api/v1/merchants", headers={"X-Request-Id": given})
    assert (response.headers["X-Request-Id"] == given) is kept
    assert response.json()["requestId"] == response.headers["X-Request-Id"]


@pytest.mark.timeout(30)
async def test_without_a_database_it_is_503_and_safe_to_retry(settings: Settings) -> None:
    away = settings.model_copy(
        update={"database_url": SecretStr("postgresql://u:secret@127.0.0.1:1/none")}
    )
    app: FastAPI = create_app(away)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            headers = {"X-API-KEY": "k", "X-API-SECRET": "s"}
            answers = await asyncio.gather(
                client.post("/api/v1/merchants", json=GYM, headers=headers),
                client.get("/readyz"),
            )
            assert (await client.get("/healthz")).status_code == 200
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "TEMPORARILY_UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) >= 1
        assert "secret" not in answer.text


async def test_health_and_metrics_answer_without_credentials(
    client: httpx.AsyncClient, integrator: Integrator, sending: FakeSending
) -> None:
    await integrator.post("/messages/sms", SMS)
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    metrics = (await client.get("/metrics")).text
    assert 'hexavox_sends_total{channel="SMS",outcome="accepted"}' in metrics
    assert 'route="/api/v1/messages/sms",status="200"' in metrics
