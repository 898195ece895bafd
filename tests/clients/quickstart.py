"""The guide's quickstart by the generated client; prints what came of it as JSON.

It is run by the Python of the generator's virtualenv, with the client on its path.
"""

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from hexavox_client import Client
from hexavox_client.api.consents import upsert_consent
from hexavox_client.api.merchants import upsert_merchant
from hexavox_client.api.messages import get_message, list_messages, send_sms, send_voice
from hexavox_client.api.reports import read_usage
from hexavox_client.models import (
    Channel,
    ConsentStatus,
    MessageType,
    MessageView,
    V1MerchantConsentRequest,
    V1MerchantUpsertRequest,
    V1OmniSmsSendRequest,
    V1OmniVoiceSendRequest,
)

KEY = "merchant-gym-a-otp-20260416-001"


@dataclass
class Sms:
    """An SMS to send."""

    merchant: str = "gym-a"
    message: str = "Your OTP is 123456"

    @property
    def body(self) -> V1OmniSmsSendRequest:
        """Return the body of the request."""
        return V1OmniSmsSendRequest(
            merchant_id=self.merchant,
            to="+18135551234",
            message=self.message,
            type_=MessageType.OTP,
        )


def connect() -> Client:
    """Return a client that sends both headers of the credentials."""
    credentials = {
        "X-API-KEY": os.environ["HEXAVOX_API_KEY"],
        "X-API-SECRET": os.environ["HEXAVOX_API_SECRET"],
    }
    return Client(
        base_url=os.environ["HEXAVOX_URL"], headers=credentials, raise_on_unexpected_status=True
    )


def ended(client: Client, message_id: str) -> MessageView:
    """Wait until a message has ended."""
    while True:
        message = get_message.sync(message_id, client=client)
        assert isinstance(message, MessageView), message
        if message.completed_at is not None:
            return message
        time.sleep(0.2)


def main() -> None:
    """Run the steps of the quickstart."""
    client = connect()
    merchant = upsert_merchant.sync(
        client=client,
        body=V1MerchantUpsertRequest(
            merchant_id="gym-a",
            display_name="Gym A",
            active=True,
            sms_limit=5000,
            voice_minutes_limit=1000,
            email_limit=25000,
        ),
    )
    consent = upsert_consent.sync(
        client=client,
        body=V1MerchantConsentRequest(
            merchant_id="gym-a",
            channel=Channel.SMS,
            contact="+18135551234",
            status=ConsentStatus.OPT_IN,
            source="checkout-form",
        ),
    )
    sent = send_sms.sync(client=client, body=Sms().body, idempotency_key=KEY)
    again = send_sms.sync_detailed(client=client, body=Sms().body, idempotency_key=KEY)
    other = Sms(message="Another text").body
    reused = send_sms.sync(client=client, body=other, idempotency_key=KEY)
    invalid = send_sms.sync(client=client, body=Sms(merchant="?").body)
    call = send_voice.sync(
        client=client,
        body=V1OmniVoiceSendRequest(
            merchant_id="gym-a", to="+18135551234", text="Ten!", type_=MessageType.REMINDER
        ),
    )
    message = ended(client, sent.message_id)
    listed = list_messages.sync(client=client, merchant_id="gym-a", channel=Channel.SMS, limit=10)
    today = datetime.now(UTC).date()
    report = read_usage.sync(client=client, from_=today, to=today)
    told = {
        "merchant": merchant.display_name,
        "consent": consent.status,
        "sent": sent.status,
        "again": again.parsed.message_id == sent.message_id,
        "replayed": again.headers["Idempotency-Replayed"],
        "reused": reused.code,
        "invalid": [wrong.field for wrong in invalid.errors],
        "called": call.channel,
        "ended": message.status,
        "listed": [each.message_id == message.message_id for each in listed],
        "counted": report.total_sms_count,
        "state": report.freshness_state,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
