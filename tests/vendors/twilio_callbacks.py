"""Posts the status callbacks of a double's messages, signed by Twilio's own library."""

from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
from twilio.request_validator import RequestValidator

from tests.vendors.twilio_double import ACCOUNT, TOKEN, TwilioDouble


async def report(
    twilio: TwilioDouble, client: httpx.AsyncClient, sid: str, status: str, code: int | None = None
) -> httpx.Response:
    """Give a message a status, and post it to the message's callback address."""
    [message] = [found for found in twilio.all("Messages") if found["sid"] == sid]
    now = format_datetime(datetime.now(UTC))
    message |= {"status": status, "error_code": code, "date_updated": now}
    message["date_sent"] = message["date_sent"] or now
    form = {
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": status,
        "SmsStatus": status,
        "AccountSid": ACCOUNT,
        "From": message["from"],
        "To": message["to"],
        "ApiVersion": "2010-04-01",
        **({} if code is None else {"ErrorCode": str(code)}),
    }
    url = twilio.callbacks[sid]
    signature = RequestValidator(TOKEN).compute_signature(url, form)
    return await client.post(url, data=form, headers={"X-Twilio-Signature": signature})
