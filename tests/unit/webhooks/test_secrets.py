"""Secrets of endpoints, and the key that they are derived from."""

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest

from models.rules.webhooks.secrets import (
    BadWebhookKey,
    BadWebhookSecret,
    derive_secret,
    read_webhook_key,
    secret_bytes,
)

KEY = bytes(range(32))


def test_a_secret_is_the_hash_of_endpoint_and_version() -> None:
    text = b"hexavox/webhook-secret/1\x1f3\x1f421\x1f7"
    expected = b64encode(hmac.new(KEY, text, hashlib.sha256).digest()).decode()
    assert derive_secret(KEY, "421", 7) == f"whsec_{expected}"


def test_each_endpoint_version_and_key_has_its_own_secret() -> None:
    inputs = [("1", 1), ("1", 2), ("2", 1), ("11", 1), ("1", 11), ("1\x1f1", 1), ("é", 1), ("", 1)]
    inputs.append(("1\x1f1\x1f1", 1))
    secrets = {derive_secret(key, *each) for each in inputs for key in (KEY, KEY[::-1])}
    assert len(secrets) == 2 * len(inputs)
    assert all(len(secret_bytes(secret)) == 32 for secret in secrets)


@pytest.mark.parametrize("key", [b"", KEY[:31]])
def test_a_short_key_derives_nothing(key: bytes) -> None:
    with pytest.raises(BadWebhookKey):
        derive_secret(key, "1", 1)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_has_24_to_64_bytes(size: int) -> None:
    assert secret_bytes(f"whsec_{b64encode(b'x' * size).decode()}") == b"x" * size


@pytest.mark.parametrize(
    "secret",
    [
        *("", "whsec_", "whsec", b64encode(b"x" * 32).decode()),
        *(f"whsec_{b64encode(b'x' * size).decode()}" for size in (0, 23, 65)),
        *(f"WHSEC_{b64encode(b'x' * 32).decode()}", f"whsec_ {b64encode(b'x' * 32).decode()}"),
        *("whsec_" + "x" * 33, "whsec_" + "-_" * 16, "whsec_" + "é" * 32),
    ],
)
def test_another_text_is_no_secret(secret: str) -> None:
    with pytest.raises(BadWebhookSecret):
        secret_bytes(secret)


@pytest.mark.parametrize("around", ["{}", "{}\n", " {}\r\n"])
def test_a_key_file_is_one_line_of_base64(around: str) -> None:
    assert read_webhook_key(around.format(b64encode(KEY).decode())) == KEY


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "no key", "x" * 40, b64encode(KEY[:31]).decode(), b64decode("AAAA").decode()),
        *(f"1:{b64encode(KEY).decode()}", f"{b64encode(KEY).decode()}\n" * 2, "é" * 44),
        *(b64encode(KEY).decode().rstrip("="), "-_" * 22),
    ],
)
def test_another_text_is_no_key(text: str) -> None:
    with pytest.raises(BadWebhookKey):
        read_webhook_key(text)
