"""A compressed body is 415, whatever its coding, and is never parsed as JSON."""

import gzip
import json
import zlib

import httpx
import pytest

from tests.api.integrator import GYM, Integrator

PLAIN = json.dumps(GYM).encode()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PLAIN)),
        ("x-gzip", gzip.compress(PLAIN)),
        ("GZIP", gzip.compress(PLAIN)),
        ("gzip", gzip.compress(b" " * 20_000_000)),
        ("deflate", zlib.compress(PLAIN)),
        ("br", b"\x0b\x02\x80{}\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x00{}"),
        ("compress", PLAIN),
        ("aes128gcm", PLAIN),
        ("gzip, gzip", gzip.compress(gzip.compress(PLAIN))),
        ("identity, gzip", gzip.compress(PLAIN)),
        ("nonsense", PLAIN),
    ],
)
async def test_a_compressed_body_is_415_and_the_answer_says_what_is_taken(
    integrator: Integrator, coding: str, body: bytes
) -> None:
    answer = await integrator.client.post(
        "/api/v1/merchants",
        content=body,
        headers={
            **integrator.headers,
            "Content-Type": "application/json",
            "Content-Encoding": coding,
        },
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert answer.headers["Accept-Encoding"] == "identity"
    assert (await integrator.get("/merchants")).json() == []


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
async def test_identity_is_no_compression(integrator: Integrator, coding: str) -> None:
    headers = {**integrator.headers, "Content-Encoding": coding}
    answer = await integrator.client.post("/api/v1/merchants", json=GYM, headers=headers)
    assert answer.status_code == 200


async def test_a_second_line_of_the_header_counts_too(integrator: Integrator) -> None:
    lines = [
        *integrator.headers.items(),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "identity"),
        ("Content-Encoding", "gzip"),
    ]
    answer = await integrator.client.post("/api/v1/merchants", content=PLAIN, headers=lines)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/simulator/hx-1-2-3",
        "/webhooks/simulator/inbound",
        "/webhooks/simulator/payments/hx-1",
        "/webhooks/simulator/registrations/hx-1",
    ],
)
async def test_a_webhook_takes_none_either(client: httpx.AsyncClient, path: str) -> None:
    headers = {"Content-Encoding": "gzip"}
    answer = await client.post(path, content=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")


async def test_without_credentials_a_compressed_body_is_401(client: httpx.AsyncClient) -> None:
    headers = {"Content-Encoding": "gzip"}
    answer = await client.post("/api/v1/merchants", content=b"x", headers=headers)
    assert answer.status_code == 401


async def test_a_media_type_that_is_not_taken_says_nothing_of_codings(
    integrator: Integrator,
) -> None:
    answer = await integrator.send_raw("/merchants", PLAIN, "text/plain")
    assert answer.status_code == 415
    assert "Accept-Encoding" not in answer.headers
