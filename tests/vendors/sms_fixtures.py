"""SMS at Twilio: the adapter, its requests, and messages as Twilio lists them."""

import secrets
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

import httpx

from models.enums import Channel
from providers.ports.messages import LookUpRequest, SmsRequest
from providers.twilio.client import Account, Twilio
from providers.twilio.messages import TwilioSms
from tests.vendors.registry_fixtures import SECONDS
from tests.vendors.twilio_double import ACCOUNT, TOKEN

TO: Final = "+18135551234"
FROM: Final = "+12135550123"
REFERENCE: Final = "hx-1-2-3"
CALLBACK: Final = f"https://api.example.com/webhooks/twilio-us/{REFERENCE}"
NOW: Final = datetime(2026, 11, 27, 12, tzinfo=UTC)
NEVER_TOO_LATE: Final = datetime(2100, 1, 1, tzinfo=UTC)
MESSAGES: Final = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"


def adapter(transport: httpx.AsyncBaseTransport, base: str | None = None) -> TwilioSms:
    """Return the adapter of an account, with a clock that stands still."""
    where: dict[str, Any] = {} if base is None else {"api_url": base}
    account = Account(sid=ACCOUNT, token=TOKEN, name="twilio-us", **where)
    client = httpx.AsyncClient(transport=transport)
    return TwilioSms(Twilio(client, account, timeout=SECONDS), timeout=SECONDS, clock=lambda: NOW)


def sms(**changes: Any) -> SmsRequest:
    """Return a request to send an SMS that does not expire."""
    given = {
        "to": TO,
        "sender": FROM,
        "reference": REFERENCE,
        "callback_url": CALLBACK,
        "not_after": NEVER_TOO_LATE,
        "body": "Your code is 123456 & ä €",
    }
    return SmsRequest(**{**given, **changes})


def asked(**changes: Any) -> LookUpRequest:
    """Return the look-up of that SMS, requested at NOW with ten seconds until its deadline."""
    given = {
        "reference": REFERENCE,
        "provider_message_id": None,
        "channel": Channel.SMS,
        "to": TO,
        "sender": FROM,
        "text": sms().body,
        "requested_at": NOW,
        "deadline": NOW + timedelta(seconds=10),
    }
    return LookUpRequest(**{**given, **changes})


def new_sid() -> str:
    return "SM" + secrets.token_hex(16)


def stamp(moment: datetime) -> str:
    """Return a time in Twilio's format."""
    return format_datetime(moment)


def listed(*, created: datetime = NOW, sent: datetime | None = None, **changes: Any) -> Any:
    """Return that SMS as Twilio shows it."""
    return {
        "sid": new_sid(),
        "account_sid": ACCOUNT,
        "to": TO,
        "from": FROM,
        "body": sms().body,
        "direction": "outbound-api",
        "status": "queued" if sent is None else "sent",
        "date_created": stamp(created),
        "date_updated": stamp(created if sent is None else sent),
        "date_sent": None if sent is None else stamp(sent),
        "error_code": None,
        "error_message": None,
        "num_segments": "1",
        "num_media": "0",
        "price": None,
        "price_unit": "USD",
        **changes,
    }
