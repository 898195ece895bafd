"""Dependencies of routes, as annotated types.

They are `async` although most await nothing: FastAPI runs a synchronous dependency in a thread.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request

from api.composition import Services
from api.http.auth import Caller
from api.http.bodies.strict_json import yield_to_event_loop
from api.http.idempotency import KEY_HEADER, IdempotentRequest, identify
from api.http.pagination import DEFAULT_LIMIT, LARGEST_LIMIT, Page
from api.http.trace import trace_of
from api.portal.portal import Portal
from api.services.alerts.alerts import Alerts
from api.services.billing.payment_reports import PaymentWebhooks
from api.services.billing.upgrades import Billing
from api.services.billing.usage_reports import Reports
from api.services.consent.consents import Consents
from api.services.consent.inbound_texts import Inbox
from api.services.consent.unsubscribe import Unsubscribing
from api.services.messages.accept import Sending
from api.services.messages.batches.cancel import BatchCanceling
from api.services.messages.batches.read import Batches
from api.services.messages.batches.request import BatchRequest, read_batch_request
from api.services.messages.batches.store import BatchStoring
from api.services.messages.cancel_requests import CancelRequests
from api.services.messages.delivery_reports import Receipts
from api.services.messages.quote import Quoting
from api.services.messages.read import Messages
from api.services.messages.recordings import Recordings
from api.services.registration.brands import Brands
from api.services.registration.campaigns import Campaigns
from api.services.registration.numbers import MessagingNumbers
from api.services.registration.registry_reports import RegistrationWebhooks
from api.services.registration.status import MessagingStatus
from api.services.system.readiness import Readiness
from api.services.tenants.api_keys import ApiKeys
from api.services.tenants.merchants import Merchants
from api.services.voice.presence import PresenceRecords
from api.services.voice.provisioning import VoiceProvisioning
from api.services.webhooks.deliveries import WebhookDeliveries
from api.services.webhooks.endpoints import Webhooks
from models.errors import InvalidCredentials
from providers.ports.messages import Webhook


async def _caller(request: Request) -> Caller:
    caller = trace_of(request.scope).caller
    if caller is None:  # the route does not use PublicRoute of api.http.public
        raise InvalidCredentials
    return caller


Authenticated = Annotated[Caller, Depends(_caller)]


KeyHeader = Annotated[
    str | None,
    Header(
        alias=KEY_HEADER,
        description="Key of the request, 1 to 255 visible ASCII characters; one pair of "
        "surrounding double quotes is removed. Retry with the same key and the same request: "
        "it is executed once, and the response has `Idempotency-Replayed: true`. The same key "
        "with a different request is refused with 422 `IDEMPOTENCY_KEY_REUSED`. Keys are kept "
        "for at least 30 days. They belong to the tenant, or to the merchant of a "
        "merchant-scoped API key: the same key sent with a tenant's and with a merchant's own "
        "API key means two actions. Without a key, every request is executed.",
        examples=["merchant-gym-a-otp-20260416-001"],
    ),
]


async def _idempotent(
    request: Request, caller: Authenticated, key: KeyHeader = None
) -> IdempotentRequest:
    has_body = "content-type" in request.headers
    body = await request.body() if has_body else b""
    document = await request.json() if body else None
    await yield_to_event_loop(body)
    contact_keys = _services(request).contact_keys
    return identify(request, caller, request.headers.getlist(KEY_HEADER), document, contact_keys)


Idempotent = Annotated[IdempotentRequest, Depends(_idempotent)]


async def _batch_request(
    request: Request, caller: Authenticated, key: KeyHeader = None
) -> AsyncIterator[BatchRequest]:
    services = _services(request)
    async with services.messages.batches.slots.hold(caller.tenant_id):
        yield await read_batch_request(request, caller, services.contact_keys, services.used_keys)


UploadedBatch = Annotated[BatchRequest, Depends(_batch_request)]


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
    str,
    Path(
        alias="messageId", description="Identifier of the message.", examples=["3364264052715392"]
    ),
]

BatchPath = Annotated[
    str,
    Path(alias="batchId", description="Identifier of the batch.", examples=["2967034108253184"]),
]


def _service(pick: Callable[[Services], object]) -> Any:
    """Return a dependency on one service of the application's container."""

    async def picked(request: Request) -> object:
        return pick(_services(request))

    return Depends(picked)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _webhook(request: Request) -> Webhook:
    # Not request.url: behind a proxy its scheme and host are not those that the vendor posted to.
    target = request.scope["raw_path"].decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    return Webhook(
        url=_services(request).public_url + target + (f"?{query}" if query else ""),
        headers=request.headers,
        body=await request.body(),
    )


ReceivedWebhook = Annotated[Webhook, Depends(_webhook)]

MerchantActions = Annotated[Merchants, _service(lambda all: all.merchants)]
KeyActions = Annotated[ApiKeys, _service(lambda all: all.keys)]
ConsentActions = Annotated[Consents, _service(lambda all: all.consent.consents)]
InboxActions = Annotated[Inbox, _service(lambda all: all.consent.inbox)]
UnsubscribeActions = Annotated[Unsubscribing, _service(lambda all: all.consent.unsubscribing)]
AlertReads = Annotated[Alerts, _service(lambda all: all.alerts)]
MessageReads = Annotated[Messages, _service(lambda all: all.messages.reads)]
SendActions = Annotated[Sending, _service(lambda all: all.messages.sending)]
QuoteActions = Annotated[Quoting, _service(lambda all: all.messages.quoting)]
CancelActions = Annotated[CancelRequests, _service(lambda all: all.messages.canceling)]
BatchActions = Annotated[BatchStoring, _service(lambda all: all.messages.batches.storing)]
BatchReads = Annotated[Batches, _service(lambda all: all.messages.batches.reads)]
BatchCancelActions = Annotated[BatchCanceling, _service(lambda all: all.messages.batches.canceling)]
RecordingReads = Annotated[Recordings, _service(lambda all: all.messages.recordings)]
ReceiptActions = Annotated[Receipts, _service(lambda all: all.messages.receipts)]
ReportReads = Annotated[Reports, _service(lambda all: all.billing.reports)]
BillingActions = Annotated[Billing, _service(lambda all: all.billing.upgrades)]
PaymentWebhookActions = Annotated[
    PaymentWebhooks, _service(lambda all: all.billing.payment_webhooks)
]
BrandActions = Annotated[Brands, _service(lambda all: all.registration.brands)]
CampaignActions = Annotated[Campaigns, _service(lambda all: all.registration.campaigns)]
NumberActions = Annotated[MessagingNumbers, _service(lambda all: all.registration.numbers)]
StatusReads = Annotated[MessagingStatus, _service(lambda all: all.registration.status)]
RegistrationWebhookActions = Annotated[
    RegistrationWebhooks, _service(lambda all: all.registration.webhooks)
]
ProvisioningActions = Annotated[VoiceProvisioning, _service(lambda all: all.voice.provisioning)]
PresenceActions = Annotated[PresenceRecords, _service(lambda all: all.voice.presence)]
WebhookActions = Annotated[Webhooks, _service(lambda all: all.webhooks.endpoints)]
WebhookDeliveryActions = Annotated[WebhookDeliveries, _service(lambda all: all.webhooks.deliveries)]
Ready = Annotated[Readiness, _service(lambda all: all.readiness)]
PortalPages = Annotated[Portal, _service(lambda all: all.portal)]
