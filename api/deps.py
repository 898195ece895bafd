"""What routes ask for, as annotated types.

They are `async` although most wait for nothing: FastAPI sends every other kind to a thread.
"""

from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from api.http.auth import Caller
from api.http.bodies.strict_json import give_way
from api.http.idempotency import KEY_HEADER, IdempotentRequest, identify
from api.http.pagination import DEFAULT_LIMIT, LARGEST_LIMIT, Page
from api.http.trace import trace_of
from api.services.alerts.alerts import Alerts
from api.services.billing.payment_reports import PaymentWebhooks
from api.services.billing.upgrades import Billing
from api.services.billing.usage_reports import Reports
from api.services.consent.consents import Consents
from api.services.consent.inbound_texts import Inbox
from api.services.consent.unsubscribe import Unsubscribing
from api.services.messages.accept import Sending
from api.services.messages.cancel_requests import CancelRequests
from api.services.messages.delivery_reports import Receipts
from api.services.messages.quote import Quoting
from api.services.messages.read import Messages
from api.services.messages.recordings import Recordings
from api.services.system.readiness import Readiness
from api.services.tenants.merchants import Merchants
from api.services.voice.presence import PresenceBook
from api.services.voice.provisioning import VoiceProvisioning
from models.errors import InvalidCredentials
from models.rules.consent.contact_keys import ContactKeys


async def _caller(request: Request) -> Caller:
    caller = trace_of(request.scope).caller
    if caller is None:  # the route does not stand behind the gate in api.http.public
        raise InvalidCredentials
    return caller


Authenticated = Annotated[Caller, Depends(_caller)]


async def _idempotent(
    request: Request,
    caller: Authenticated,
    key: Annotated[
        str | None,
        Header(
            alias=KEY_HEADER,
            description="Key of the request, 1 to 255 visible ASCII characters; one pair of "
            "surrounding double quotes is removed. Retry with the same key and the same request: "
            "it is executed once, and the response has `Idempotency-Replayed: true`. The same key "
            "with a different request is refused with 422 `IDEMPOTENCY_KEY_REUSED`. Keys are kept "
            "for at least 30 days. Without a key, every request is executed.",
            examples=["merchant-gym-a-otp-20260416-001"],
        ),
    ] = None,
) -> IdempotentRequest:
    has_body = "content-type" in request.headers
    body = await request.body() if has_body else b""
    document = await request.json() if body else None
    await give_way(body)
    keys: ContactKeys = request.app.state.contact_keys
    return identify(request, caller, request.headers.getlist(KEY_HEADER), document, keys)


Idempotent = Annotated[IdempotentRequest, Depends(_idempotent)]


LimitParam = Annotated[
    int,
    Query(ge=1, le=LARGEST_LIMIT, description="Maximum number of items to return.", examples=[100]),
]
CursorParam = Annotated[
    str | None,
    Query(
        max_length=300,
        description="Position of the page, taken from the `Link` header of the previous page.",
    ),
]


async def _page(
    request: Request, limit: LimitParam = DEFAULT_LIMIT, cursor: CursorParam = None
) -> Page:
    return Page(limit=limit, cursor=cursor, url=request.url)


async def _page_of_calls(
    request: Request, limit: LimitParam = 50, cursor: CursorParam = None
) -> Page:
    return Page(limit=limit, cursor=cursor, url=request.url)


Paged = Annotated[Page, Depends(_page)]
PagedCalls = Annotated[Page, Depends(_page_of_calls)]

MerchantPath = Annotated[
    str,
    Path(alias="merchantId", description="Your identifier of the merchant.", examples=["gym-a"]),
]
MessagePath = Annotated[
    str, Path(alias="messageId", description="Identifier of the message.", examples=["10441"])
]


async def _merchants(request: Request) -> Merchants:
    merchants: Merchants = request.app.state.merchants
    return merchants


async def _consents(request: Request) -> Consents:
    consents: Consents = request.app.state.consents
    return consents


async def _alerts(request: Request) -> Alerts:
    alerts: Alerts = request.app.state.alerts
    return alerts


async def _messages(request: Request) -> Messages:
    messages: Messages = request.app.state.messages
    return messages


async def _sending(request: Request) -> Sending:
    sending: Sending = request.app.state.sending
    return sending


async def _quoting(request: Request) -> Quoting:
    quoting: Quoting = request.app.state.quoting
    return quoting


async def _cancel_requests(request: Request) -> CancelRequests:
    cancel_requests: CancelRequests = request.app.state.cancel_requests
    return cancel_requests


async def _recordings(request: Request) -> Recordings:
    recordings: Recordings = request.app.state.recordings
    return recordings


async def _reports(request: Request) -> Reports:
    reports: Reports = request.app.state.reports
    return reports


async def _inbox(request: Request) -> Inbox:
    inbox: Inbox = request.app.state.inbox
    return inbox


async def _receipts(request: Request) -> Receipts:
    receipts: Receipts = request.app.state.receipts
    return receipts


async def _billing(request: Request) -> Billing:
    billing: Billing = request.app.state.billing
    return billing


async def _payment_webhooks(request: Request) -> PaymentWebhooks:
    payment_webhooks: PaymentWebhooks = request.app.state.payment_webhooks
    return payment_webhooks


async def _unsubscribing(request: Request) -> Unsubscribing:
    unsubscribing: Unsubscribing = request.app.state.unsubscribing
    return unsubscribing


async def _provisioning(request: Request) -> VoiceProvisioning:
    provisioning: VoiceProvisioning = request.app.state.voice_provisioning
    return provisioning


async def _presence(request: Request) -> PresenceBook:
    presence: PresenceBook = request.app.state.presence
    return presence


async def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


MerchantActions = Annotated[Merchants, Depends(_merchants)]
ConsentActions = Annotated[Consents, Depends(_consents)]
AlertReads = Annotated[Alerts, Depends(_alerts)]
MessageReads = Annotated[Messages, Depends(_messages)]
SendActions = Annotated[Sending, Depends(_sending)]
QuoteActions = Annotated[Quoting, Depends(_quoting)]
CancelActions = Annotated[CancelRequests, Depends(_cancel_requests)]
RecordingReads = Annotated[Recordings, Depends(_recordings)]
ReportReads = Annotated[Reports, Depends(_reports)]
InboxActions = Annotated[Inbox, Depends(_inbox)]
ReceiptActions = Annotated[Receipts, Depends(_receipts)]
BillingActions = Annotated[Billing, Depends(_billing)]
PaymentWebhookActions = Annotated[PaymentWebhooks, Depends(_payment_webhooks)]
UnsubscribeActions = Annotated[Unsubscribing, Depends(_unsubscribing)]
ProvisioningActions = Annotated[VoiceProvisioning, Depends(_provisioning)]
PresenceActions = Annotated[PresenceBook, Depends(_presence)]
Ready = Annotated[Readiness, Depends(_readiness)]
