"""Inbound SMS: posts them as signed webhooks."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from simulator.clock import iso, utc_now
from simulator.journal import Journal, Kind
from simulator.messages.submission import Malformed, required_text, required_url
from simulator.webhook_sender import Webhook, WebhookSender

_URL_SETTING = "inbound-url"


class Inbox:
    """Posts inbound messages to the URL in the call, or else to the configured one."""

    def __init__(self, journal: Journal, webhook_sender: WebhookSender, url: str | None) -> None:
        self._journal = journal
        self._webhook_sender = webhook_sender
        self.url = url

    def restore(self) -> None:
        """Restore the state of an earlier run; a URL that is given now takes precedence."""
        told = {id for id, _ in self._journal.load(Kind.REPORTED)}
        settings = dict(self._journal.load(Kind.SETTING))
        if self.url is None and _URL_SETTING in settings:
            self.url = settings[_URL_SETTING]["url"]
        for id, record in self._journal.load(Kind.INBOUND):
            if id not in told:
                self._run_one(record["url"], record["payload"], utc_now())

    def redirect(self, fields: Mapping[str, Any]) -> None:
        """Set the URL of inbound messages."""
        self.url = required_url(fields, "url")
        self._journal.put(Kind.SETTING, _URL_SETTING, {"url": self.url})

    def receive(self, fields: Mapping[str, Any], now: datetime) -> str:
        """Schedule the webhook of an inbound message and return its event id.

        Raises:
            Malformed: a field is missing, or there is no URL.
        """
        payload = {
            "eventId": f"evt_{uuid.uuid4().hex}",
            "type": "inbound",
            "from": required_text(fields, "from"),
            "to": required_text(fields, "to"),
            "body": _body(fields),
            "at": iso(now),
        }
        given = fields.get("callbackUrl")
        url = self.url if given is None else required_url(fields, "callbackUrl")
        if url is None:
            raise Malformed("no callbackUrl given and none configured by POST /inbound-url")
        self._journal.put(Kind.INBOUND, payload["eventId"], {"url": url, "payload": payload})
        self._run_one(url, payload, now)
        return payload["eventId"]

    def _run_one(self, url: str, payload: dict[str, Any], due: datetime) -> None:
        on_delivered = partial(self._journal.put, Kind.REPORTED, payload["eventId"], {})
        self._webhook_sender.send([Webhook(url, payload, due)], on_delivered)


def _body(fields: Mapping[str, Any]) -> str:
    """Parse the body; an inbound message may be empty."""
    body = fields.get("body")
    if not isinstance(body, str):
        raise Malformed("body must be a string")
    return body
