"""The scope that an API key needs for each route of the public contract.

A route that is missing here keeps the application from starting (`check_complete`), and no key may
call it. The scope is checked after authentication and before the body is read.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

from api.http.public import PREFIX
from models.enums import KeyScope

_SEND, _READ = KeyScope.SEND, KeyScope.READ
_BILLING, _ADMIN = KeyScope.BILLING, KeyScope.ADMIN

_MERCHANT: Final = "/merchants/{merchantId}"
_MESSAGING: Final = f"{_MERCHANT}/messaging"

_BATCH: Final = "/messages/batch/{batchId}"

_WEBHOOK: Final = "/webhooks/{webhookId}"

_ROUTES: Final[Mapping[str, KeyScope]] = {
    "POST /merchants": _ADMIN,
    "GET /merchants": _READ,
    f"GET {_MERCHANT}": _READ,
    f"GET {_MERCHANT}/settings": _READ,
    f"POST {_MERCHANT}/settings": _ADMIN,
    f"GET {_MERCHANT}/usage/daily": _READ,
    "POST /consents": _SEND,
    "GET /consents": _READ,
    "GET /consents/history": _READ,
    "GET /messages/inbound": _READ,
    "POST /messages/sms": _SEND,
    "POST /messages/voice": _SEND,
    "POST /messages/email": _SEND,
    "POST /messages/quote": _SEND,
    "POST /messages/batch": _SEND,
    f"GET {_BATCH}": _READ,
    f"GET {_BATCH}/messages": _READ,
    f"POST {_BATCH}/cancel": _SEND,
    "GET /messages": _READ,
    "GET /messages/{messageId}": _READ,
    "POST /messages/{messageId}/cancel": _SEND,
    "GET /messages/{messageId}/recording": _READ,
    "POST /email/send": _SEND,
    "POST /billing/upgrade": _BILLING,
    "GET /billing/upgrades": _READ,
    "GET /billing/upgrades/{paymentId}": _READ,
    "GET /billing/ledger": _READ,
    "GET /alerts": _READ,
    "GET /reports/usage": _READ,
    "GET /reports/usage.csv": _READ,
    "POST /voice/tts-calls": _SEND,
    "GET /voice/tts-calls": _READ,
    # It creates the SIP user and shows its password, which places calls.
    "GET /voice/provisioning": _ADMIN,
    "POST /voice/provisioning/rotate": _ADMIN,
    "POST /voice/provisioning/presence": _ADMIN,
    "GET /voice/provisioning/presence": _READ,
    f"POST {_MESSAGING}/brand": _ADMIN,
    f"GET {_MESSAGING}/brand": _READ,
    f"POST {_MESSAGING}/campaigns": _ADMIN,
    f"GET {_MESSAGING}/campaigns": _READ,
    f"GET {_MESSAGING}/numbers/available": _READ,
    f"POST {_MESSAGING}/numbers": _ADMIN,
    f"GET {_MESSAGING}/numbers": _READ,
    f"POST {_MESSAGING}/numbers/{{number}}/assignment": _ADMIN,
    f"DELETE {_MESSAGING}/numbers/{{number}}": _ADMIN,
    f"GET {_MESSAGING}/status": _READ,
    "POST /keys": _ADMIN,
    "GET /keys": _READ,
    "DELETE /keys/{keyId}": _ADMIN,
    "POST /webhooks": _ADMIN,
    "GET /webhooks": _READ,
    f"GET {_WEBHOOK}": _READ,
    f"POST {_WEBHOOK}": _ADMIN,
    f"DELETE {_WEBHOOK}": _ADMIN,
    f"POST {_WEBHOOK}/rotate-secret": _ADMIN,
    f"POST {_WEBHOOK}/test": _ADMIN,
    f"GET {_WEBHOOK}/deliveries": _READ,
    f"POST {_WEBHOOK}/deliveries/{{deliveryId}}/redeliver": _ADMIN,
    f"POST {_WEBHOOK}/redeliver": _ADMIN,
}
"""By method and path below the prefix."""


def _with_prefix(route: str) -> str:
    method, path = route.split(" ")
    return f"{method} {PREFIX}{path}"


ROUTE_SCOPES: Final[Mapping[str, KeyScope]] = {
    _with_prefix(route): scope for route, scope in _ROUTES.items()
}
"""By method and path template."""


def check_complete(routers: Iterable[APIRouter]) -> None:
    """Raise RuntimeError unless exactly the routes of these routers have a scope."""
    served = {
        f"{method} {route.path}"
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    if missing := sorted(served - set(ROUTE_SCOPES)):
        raise RuntimeError(f"api/route_scopes.py lacks the scope of {', '.join(missing)}.")
    if unknown := sorted(set(ROUTE_SCOPES) - served):
        raise RuntimeError(f"api/route_scopes.py has routes that do not exist: {unknown}.")
