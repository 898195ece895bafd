"""Signatures are accepted by the verifiers of Standard Webhooks: Python's and npm's."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from models.rules.webhooks.secrets import BadWebhookSecret, derive_secret
from providers.webhooks.signing import signed_headers
from tests.vendors.prism import HERE, required
from tests.webhook_key import WEBHOOK_KEY

OLD = derive_secret(WEBHOOK_KEY, "421", 1)
NEW = derive_secret(WEBHOOK_KEY, "421", 2)
OTHER = derive_secret(WEBHOOK_KEY, "422", 2)
BODY = '{"id":"evt_1","type":"message.sent","data":{"name":"Zoë 🐝"}}'.encode()
VERIFY = """
const { Webhook } = require("standardwebhooks");
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(asked.map(({ secret, headers, body }) => {
  try { return new Webhook(secret).verify(body, headers).id; }
  catch (error) { return error.constructor.name; }
})));
"""


def by_npm(*asked: dict[str, Any]) -> list[str]:
    """Return the event id that npm's verifier reads, or the name of its error."""
    missing = None
    if shutil.which("node") is None:
        missing = "node is not installed"
    elif not (HERE / "node_modules" / "standardwebhooks").is_dir():
        missing = "npm's standardwebhooks is not installed: npm ci in tests/vendors"
    if missing is not None:
        (pytest.fail if required() else pytest.skip)(missing)
    ended = subprocess.run(
        ["node", "-e", VERIFY],
        cwd=HERE,
        env={"PATH": os.environ["PATH"]},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(ended.stdout)
    return found


def by_python(secret: str, headers: dict[str, str], body: bytes = BODY) -> str:
    """Return the event id that Python's verifier reads, or the name of its error."""
    try:
        return str(Webhook(secret).verify(body, headers)["id"])
    except WebhookVerificationError:
        return "WebhookVerificationError"


@pytest.mark.parametrize("secrets", [[NEW], [NEW, OLD]])
def test_both_verifiers_accept_each_secret_and_no_other(secrets: list[str]) -> None:
    headers = signed_headers(secrets, "evt_1", datetime.now(UTC), BODY)
    tried = [NEW, OLD, OTHER]
    expected = ["evt_1" if secret in secrets else "WebhookVerificationError" for secret in tried]
    assert [by_python(secret, headers) for secret in tried] == expected
    text = BODY.decode()
    asked = [{"secret": secret, "headers": headers, "body": text} for secret in tried]
    assert by_npm(*asked) == expected


def test_both_verifiers_refuse_what_was_changed() -> None:
    now = datetime.now(UTC)
    headers = signed_headers([NEW], "evt_1", now, BODY)
    stale = signed_headers([NEW], "evt_1", now - timedelta(minutes=6), BODY)
    later = str(int(headers["webhook-timestamp"]) + 1)
    changed = [
        ({**headers, "webhook-id": "evt_2"}, BODY),
        ({**headers, "webhook-timestamp": later}, BODY),
        (headers, BODY + b" "),
        (stale, BODY),
    ]
    assert {by_python(NEW, given, body) for given, body in changed} == {"WebhookVerificationError"}
    asked = [{"secret": NEW, "headers": given, "body": body.decode()} for given, body in changed]
    assert set(by_npm(*asked)) == {"WebhookVerificationError"}


def test_the_headers_are_those_of_the_standard() -> None:
    """The example of the specification's reference libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, UTC)
    assert signed_headers(
        [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}'
    ) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_zone_and_the_fraction_of_the_time_do_not_matter() -> None:
    at = datetime(2026, 11, 30, 12, 0, 0, 999_999, tzinfo=UTC)
    east = at.astimezone(timezone(timedelta(hours=9)))
    headers = signed_headers([NEW], "evt_1", at, BODY)
    assert signed_headers([NEW], "evt_1", east, BODY) == headers
    assert headers["webhook-timestamp"] == str(int(at.timestamp()))


@pytest.mark.parametrize("secrets", [[], ["whsec_x"], [NEW, ""], ["MfKQ9r8GKYqrTwjUPD8ILPZI"]])
def test_nothing_is_signed_without_valid_secrets(secrets: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        signed_headers(secrets, "evt_1", datetime.now(UTC), BODY)
    assert not secrets or isinstance(caught.value, BadWebhookSecret)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        signed_headers([NEW], "evt_1", datetime(2026, 11, 30), BODY)  # noqa: DTZ001
