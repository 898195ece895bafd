"""Signs a webhook as Standard Webhooks says."""

from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from models.rules.webhooks.secrets import secret_bytes


def signed_headers(
    secrets: Sequence[str], event_id: str, at: datetime, body: bytes
) -> dict[str, str]:
    """Return the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`.

    There is one signature for each secret, the first secret's first; while a secret is rotated,
    that is the new one's. `at` is when this attempt is made, not the event: receivers refuse
    timestamps more than 5 minutes old. Raises ValueError without secrets, BadWebhookSecret for an
    invalid one.
    """
    if not secrets or at.tzinfo is None:
        raise ValueError("a signature needs a secret and a time with its zone")
    moment = at.astimezone(UTC).replace(microsecond=0)  # the library takes any zone for UTC
    data = body.decode()
    signatures = [
        Webhook(secret_bytes(secret)).sign(msg_id=event_id, timestamp=moment, data=data)
        for secret in secrets
    ]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
