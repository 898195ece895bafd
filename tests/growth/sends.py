"""One send of every kind through the API of a running stack, each until its end."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import httpx

from models.enums import TERMINAL
from tests.factories import Owner

_NUMBERS = count()
_PATIENCE: Final = 60.0
"""Seconds; the machine may be busy."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A tenant that sends to recipients of whom nobody has heard before."""

    http: httpx.AsyncClient
    api_url: str
    owner: Owner

    async def send_each_kind(self) -> None:
        """Send by every channel and as a batch; one is refused, one lost and one canceled."""
        orders = {"orderId": "A-1", "shop": "north"}
        ended = [
            await self._sms("1234", type="OTP"),
            await self._sms("1234", metadata=orders),
            await self._sms("9001"),  # undelivered
            await self._sms("9002"),  # refused
            await self._sms("9004"),  # accepted, but the answer is lost
            await self._send("voice", {"to": _number("1234"), "text": "Ten!", "type": "REMINDER"}),
            await self._send("email", {"to": _address(), **_MAIL, "type": "TRANSACTIONAL"}),
            await self._direct([_address() for _ in range(3)]),
        ]
        later = datetime.now(UTC) + timedelta(days=2)
        waiting = await self._sms("1234", sendAt=later.isoformat())
        await self._post(f"/messages/{waiting}/cancel")
        for message in [*ended, waiting]:
            await self._until(f"/messages/{message}", TERMINAL)
        await self._batch()

    async def _sms(self, last_four: str, **fields: object) -> str:
        plain = {"to": _number(last_four), "message": "Your code is 123456"}
        return await self._send("sms", {**plain, "type": "TRANSACTIONAL", **fields})

    async def _send(self, channel: str, body: Mapping[str, object]) -> str:
        answer = await self._post(
            f"/messages/{channel}", {"merchantId": self.owner.merchant, **body}
        )
        message_id: str = answer["messageId"]
        return message_id

    async def _direct(self, to: list[str]) -> str:
        answer = await self._post("/email/send", {"to": to, **_MAIL})
        message_id: str = answer["messageId"]
        return message_id

    async def _batch(self) -> None:
        """Send a batch: one line is refused, one message is undelivered, one is lost."""
        plain = {"message": "Your code is 123456", "type": "TRANSACTIONAL"}
        lines = [{"to": _number(last), **plain} for last in ("1234",) * 7 + ("9001", "9004")]
        lines.append({"to": "nobody", **plain})
        body = {"merchantId": self.owner.merchant, "channel": "SMS", "messages": lines}
        path = f"/messages/batch/{(await self._post('/messages/batch', body))['batchId']}"
        await self._until(path, {"COMPLETED"})

    async def _post(self, path: str, body: object = None) -> Any:
        url = f"{self.api_url}/api/v1{path}"
        answer = await self.http.post(url, json=body, headers=self.owner.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def _until(self, path: str, statuses: Collection[str]) -> None:
        """Wait until what is read there has one of these statuses."""
        url = f"{self.api_url}/api/v1{path}"
        until = time.monotonic() + _PATIENCE
        while True:
            answer = await self.http.get(url, headers=self.owner.headers)
            if answer.json()["status"] in statuses:
                return
            assert time.monotonic() < until, answer.text
            await asyncio.sleep(0.1)


_MAIL: Final = {"subject": "Hi", "body": "<p>Your membership renews tomorrow.</p>"}


def _number(last_four: str) -> str:
    area, exchange = divmod(next(_NUMBERS), 700)
    return f"+1{401 + area}{200 + exchange}{last_four}"


def _address() -> str:
    return f"grown{next(_NUMBERS)}@example.com"
