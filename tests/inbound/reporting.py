"""Signed reports of the simulator, and the rows that a foreign one must not change."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from prometheus_client import REGISTRY
from sqlalchemy import text

from models.enums import Channel
from providers.ports.messages import Answer
from tests.activities.doubles import Scripted, own_id
from tests.activities.harness import Harness
from tests.contacts import key_of
from tests.factories import make_message, new_message
from tests.inbound.harness import InboundHarness, signed

FIRST, SECOND = "Maria@Example.com", "bob@xn--mnchen-3ya.example"
TABLES = ("message", "attempt", "receipt", "suppression", "consent_change", "usage_record")


class Post(Scripted):
    """A provider of SMS and e-mail."""

    channels = frozenset({Channel.SMS, Channel.EMAIL})


@dataclass(frozen=True)
class Reporting:
    """Messages of a tenant that the simulator has accepted, and their reports."""

    inbound: InboundHarness

    def harness(self, *answers: Answer) -> Harness:
        """Return the activities with a provider that returns these answers."""
        return Harness(self.inbound.database, self.inbound.owner, Post(*answers, name="simulator"))

    async def text_to(self, to: str, *answers: Answer) -> int:
        """Send an SMS; return its id."""
        harness = self.harness(*answers)
        message_id = await harness.accept(to=to)
        await harness.dispatch(message_id)
        return message_id

    async def mail_to(self, *recipients: str) -> int:
        """Send one e-mail to these recipients; return its id."""
        keys = [key_of(one) for one in recipients]
        message = replace(
            new_message(self.inbound.owner, to=recipients[0]),
            channel=Channel.EMAIL,
            contact_key=keys[0],
            units=len(recipients),
            details={"subject": "Hi", "to": list(recipients)},
            further_keys=tuple(keys[1:]),
        )
        message_id = await make_message(self.inbound.database, message)
        await self.harness().dispatch(message_id)
        return message_id

    async def reference(self, message_id: int, attempt: int = 1) -> str:
        return await self.harness().reference(message_id, attempt)

    async def told(
        self, message_id: int, status: str = "delivered", **facts: Any
    ) -> dict[str, Any]:
        """Build a correct report; `facts` replace fields."""
        reference = await self.reference(message_id)
        return {
            "eventId": f"e-{uuid4().hex}",
            "messageId": own_id(reference),
            "reference": reference,
            "status": status,
            "at": datetime.now(UTC).isoformat(),
            **facts,
        }

    async def tell(self, told: dict[str, Any]) -> int:
        """Post a signed report; return the status of the response."""
        body, headers = signed(told)
        path = f"/webhooks/simulator/{told['reference']}"
        return (await self.inbound.client.post(path, content=body, headers=headers)).status_code

    async def everything(self) -> list[Any]:
        """Return all rows that a report could change, and the signalled workflows."""
        found: list[Any] = []
        for table in TABLES:
            found += await self.rows(
                f"SELECT to_jsonb(t) - 'sweep_at' FROM {table} t WHERE tenant_id = :t ORDER BY 1"
            )
        tenant = f"/{self.inbound.owner.tenant_public_id}"
        return [*found, [one for one in self.inbound.started.row_changed if tenant in one]]

    async def reported(self, message_id: int) -> list[tuple[str, str | None]]:
        """Return status and recipient of every stored report of a message."""
        found = await self.rows(
            "SELECT status, recipient FROM receipt WHERE tenant_id = :t AND message_id = :m"
            " ORDER BY id",
            m=message_id,
        )
        return [tuple(row) for row in found]

    async def provider_ids(self, message_id: int) -> list[str | None]:
        """Return the provider's ids of a message's attempts."""
        found = await self.rows(
            "SELECT provider_message_id FROM attempt WHERE tenant_id = :t AND message_id = :m"
            " ORDER BY number",
            m=message_id,
        )
        return [row.provider_message_id for row in found]

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async with self.inbound.database.read() as db:
            values["t"] = self.inbound.owner.tenant_id
            return list((await db.execute(text(sql), values)).all())


def mismatches(reason: str) -> float:
    """Return the counted mismatches of a kind."""
    labels = {"account": "simulator", "reason": reason}
    return REGISTRY.get_sample_value("hexavox_report_mismatches_total", labels) or 0
