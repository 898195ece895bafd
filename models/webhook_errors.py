"""Errors of webhooks to integrators that are returned to API callers. Standard library only.

NotThere 404 ─── WebhookNotFound, WebhookDeliveryNotFound
WrongState 409 ─ WebhookNotActive, TooManyWebhooks
"""

from models.errors import NotThere, WrongState


class WebhookNotFound(NotThere):
    """No webhook endpoint of this key has that id, or it was deleted."""

    code = "WEBHOOK_NOT_FOUND"
    title = "No such webhook endpoint"


class WebhookDeliveryNotFound(NotThere):
    """The endpoint has no delivery with that id, or it is older than 30 days."""

    code = "WEBHOOK_DELIVERY_NOT_FOUND"
    title = "No such delivery"


class WebhookNotActive(WrongState):
    """Nothing is sent to an inactive endpoint."""

    code = "WEBHOOK_NOT_ACTIVE"
    title = "The webhook endpoint is not active"


class TooManyWebhooks(WrongState):
    """The tenant itself, or the merchant, has as many endpoints as it may."""

    code = "TOO_MANY_WEBHOOKS"
    title = "Too many webhook endpoints"
