"""Vendors for the contract suite: each adapter behind a server that can lose its answers.

To add one, write a context manager that yields an `Opened`, and add it to `VENDORS`. An adapter
over HTTP needs `counting_server` before a double only. Another protocol needs a `line` of its own
with the members of `Line`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import uuid4

import httpx

from models.enums import Channel
from providers.http import new_client
from providers.ports.messages import (
    EmailRequest,
    LookUpRequest,
    MessageProvider,
    SendRequest,
    SmsRequest,
    VoiceRequest,
)
from providers.simulator.messages import Simulator
from providers.smtp.account import Security, SmtpAccount
from providers.smtp.messages import Smtp
from providers.twilio.client import Account, Twilio
from providers.twilio.messages import TwilioSms
from tests.simulator.harness import SECRET, Running, number
from tests.smtp.contract_line import PASSWORD, USER, SmtpLine, smtp_line
from tests.vendors.counting_server import Behaviour, CountingServer, counting_server
from tests.vendors.serving import serve
from tests.vendors.twilio_double import ACCOUNT, TOKEN, TwilioDouble

TIMEOUT: Final = timedelta(seconds=2)


class Line(Protocol):
    """The connection between adapter and vendor."""

    behaviour: Behaviour
    begun: int
    """Requests of which at least one byte arrived."""
    taken: int
    """Messages that the vendor has accepted."""

    async def close(self) -> None:
        """Refuse connections."""
        ...

    async def open(self) -> None:
        """Accept connections again."""
        ...


@dataclass(frozen=True)
class Opened:
    """An adapter, its vendor's line, and the same adapter with an account that is refused."""

    adapter: MessageProvider
    refused: MessageProvider
    line: Line
    request: Callable[[], SendRequest]
    """Returns a request with a recipient, a text and a reference of its own."""


Open = Callable[[], AbstractAsyncContextManager[Opened]]


def envelope(to: str, sender: str) -> dict[str, Any]:
    """Return the common fields of a request with a new reference."""
    reference = f"hx-1-{uuid4().int >> 70}-1"
    return {
        "to": to,
        "sender": sender,
        "reference": reference,
        "callback_url": f"http://127.0.0.1:9/webhooks/vendor/{reference}",
        "not_after": datetime.now(UTC) + timedelta(minutes=1),
    }


def sms() -> SendRequest:
    return SmsRequest(**envelope(number(), "+12135550123"), body=f"Your code is {uuid4()} €")


def email() -> SendRequest:
    to = f"ann-{uuid4()}@example.test"
    text = f"Your code is {uuid4()}"
    return EmailRequest(
        **envelope(to, "shop@example.test"),
        recipients=(to,),
        subject="Your code",
        html=f"<p>{text}</p>",
        text=text,
    )


def looked_up(
    request: SendRequest, provider_message_id: str | None, requested_at: datetime
) -> LookUpRequest:
    """Return the look-up of a request that was sent at a time."""
    assert not isinstance(request, VoiceRequest)
    return LookUpRequest(
        reference=request.reference,
        provider_message_id=provider_message_id,
        channel=Channel.SMS if isinstance(request, SmsRequest) else Channel.EMAIL,
        to=request.to,
        sender=request.sender,
        text=request.body if isinstance(request, SmsRequest) else request.html,
        requested_at=requested_at,
        deadline=requested_at + timedelta(seconds=10),
    )


@asynccontextmanager
async def twilio_sms() -> AsyncIterator[Opened]:
    """Twilio's double, which knows one account."""
    double = TwilioDouble()
    async with (
        serve(double) as vendor,
        counting_server(vendor) as line,
        new_client(TIMEOUT) as http,
    ):
        right, wrong = (
            TwilioSms(
                Twilio(http, Account(sid=ACCOUNT, token=token, api_url=line.url), timeout=TIMEOUT),
                timeout=TIMEOUT,
            )
            for token in (TOKEN, "revoked")
        )
        yield Opened(right, wrong, line, sms)


def _simulated(request: Callable[[], SendRequest]) -> Open:
    @asynccontextmanager
    async def simulated() -> AsyncIterator[Opened]:
        with Running() as vendor:
            async with counting_server(vendor.url) as line, new_client(TIMEOUT) as http:
                yield Opened(
                    _simulator(http, line, SECRET), _simulator(http, line, "wrong"), line, request
                )

    return simulated


def _simulator(http: httpx.AsyncClient, line: CountingServer, secret: str) -> Simulator:
    return Simulator(http, line.url, timeout=TIMEOUT, absence_window=TIMEOUT, secret=secret)


@asynccontextmanager
async def smtp() -> AsyncIterator[Opened]:
    """A relay, which knows one user."""
    async with smtp_line() as line:
        right, wrong = _smtp(line, PASSWORD), _smtp(line, "revoked")
        try:
            yield Opened(right, wrong, line, email)
        finally:
            await right.close()
            await wrong.close()


def _smtp(line: SmtpLine, password: str) -> Smtp:
    return Smtp(
        SmtpAccount(
            name="relay",
            host="127.0.0.1",
            port=line.port,
            security=Security.PLAIN,
            username=USER,
            password=password,
            domains=frozenset({"example.test"}),
            timeout=TIMEOUT,
        )
    )


VENDORS: Final[dict[str, Open]] = {
    "twilio-sms": twilio_sms,
    "simulator-sms": _simulated(sms),
    "simulator-email": _simulated(email),
    "smtp": smtp,
}
