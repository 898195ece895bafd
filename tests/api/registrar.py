"""A merchant during registration, through the API; decisions of the registry are scripted."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import text

from api.workflow_starters import RegistrationStarter
from models.rules.registration.vocabulary import NumberType
from models.session import Database
from providers.ports.registration import AvailableNumber, NumberOffers
from tests.api.integrator import Integrator
from tests.messaging import BRAND, CAMPAIGN
from workflows.registration.start import RegistrationStart

OFFERS = NumberOffers(
    numbers=(
        AvailableNumber(
            number="+18132201000", type=NumberType.LOCAL, locality="Tampa", region="FL"
        ),
        AvailableNumber(number="+18132571919", type=NumberType.LOCAL),
    )
)

_STATES = {
    "brand": "UPDATE brand SET state = :state, reasons = :reasons WHERE tenant_id = :tenant",
    "campaign": "UPDATE campaign SET state = :state, reasons = :reasons WHERE tenant_id = :tenant",
    "number": "UPDATE messaging_number SET state = :state WHERE tenant_id = :tenant",
    "assignment": "UPDATE messaging_number SET assignment = :state WHERE tenant_id = :tenant",
}
_GONE = "DELETE FROM sender_number WHERE tenant_id = :tenant AND provider IS NOT NULL"
_SENDERS = {
    "ACTIVE": "UPDATE sender_number SET claimed_at = NULL WHERE tenant_id = :tenant",
    "FAILED": _GONE,
    "RELEASED": _GONE,
}
"""Status of the sender numbers for each decision of the registry."""


class FakeRegistrationStarter(RegistrationStarter):
    """Starts nothing, and records its calls."""

    def __init__(self) -> None:
        self.started: list[tuple[RegistrationStart, bool]] = []
        self.row_changed: list[str] = []

    async def start(self, registration: RegistrationStart, *, fresh: bool) -> None:
        """Record a start."""
        self.started.append((registration, fresh))

    async def wake(self, workflow_id: str) -> None:
        """Record a signal."""
        self.row_changed.append(workflow_id)


@dataclass(frozen=True)
class Registrar:
    """One integrator and the registrations of one merchant."""

    integrator: Integrator
    database: Database
    merchant: str = "gym-a"

    @property
    def path(self) -> str:
        """Base path of the routes."""
        return f"/merchants/{self.merchant}/messaging"

    async def get(self, what: str, **query: str) -> httpx.Response:
        return await self.integrator.get(f"{self.path}/{what}", **query)

    async def post(self, what: str, body: Any, key: str | None = None) -> httpx.Response:
        return await self.integrator.post(f"{self.path}/{what}", body, key)

    async def brand(self, key: str | None = None, **changed: Any) -> httpx.Response:
        """Write the brand with changes; None omits a field."""
        return await self.post("brand", _without_none({**BRAND, **changed}), key)

    async def campaign(self, key: str | None = None, **changed: Any) -> httpx.Response:
        """Write a campaign with changes; None omits a field."""
        return await self.post("campaigns", _without_none({**CAMPAIGN, **changed}), key)

    async def buy(self, number: str, key: str | None = None) -> httpx.Response:
        return await self.post("numbers", {"number": number}, key)

    async def assign(self, number: str, campaign_id: str, key: str | None = None) -> httpx.Response:
        body = {"campaignId": campaign_id}
        return await self.post(f"numbers/{quote(number)}/assignment", body, key)

    async def release(self, number: str, key: str | None = None) -> httpx.Response:
        extra = {} if key is None else {"Idempotency-Key": key}
        return await self.integrator.client.delete(
            f"/api/v1{self.path}/numbers/{quote(number)}",
            headers={**self.integrator.headers, **extra},
        )

    async def stands(self, what: str, state: str, reasons: str = "[]") -> None:
        """Set the state of the tenant's rows of a kind, as the registry's decision would."""
        values = {"state": state, "tenant": self.integrator.tenant_id}
        if ":reasons" in _STATES[what]:
            values["reasons"] = reasons
        async with self.database.transaction() as db:
            await db.execute(text(_STATES[what]), values)
            if what == "number" and state in _SENDERS:
                await db.execute(text(_SENDERS[state]), {"tenant": self.integrator.tenant_id})

    async def approved(self) -> str:
        """Register brand and campaign and approve both; return the campaign's id."""
        await self.brand()
        await self.stands("brand", "APPROVED")
        campaign_id: str = (await self.campaign()).json()["campaignId"]
        await self.stands("campaign", "APPROVED")
        return campaign_id

    async def bought(self) -> str:
        """Buy a number of this test and complete the purchase; return it."""
        number = f"+18132{self.integrator.tenant_id % 10**6:06d}"
        assert (await self.buy(number)).status_code == 200
        await self.stands("number", "ACTIVE")
        return number

    async def holds(self, number: str) -> bool:
        """Return whether the tenant has the number or is buying it."""
        async with self.database.read() as db:
            statement = text("SELECT 1 FROM sender_number WHERE number = :n AND tenant_id = :t")
            values = {"n": number, "t": self.integrator.tenant_id}
            return await db.scalar(statement, values) is not None

    async def rows(self) -> list[Any]:
        """Return everything that a registration request could change."""
        tables = ("brand", "campaign", "messaging_number", "sender_number", "idempotency_record")
        found: list[Any] = []
        async with self.database.read() as db:
            for table in tables:
                statement = text(
                    f"SELECT to_jsonb(t) FROM {table} t WHERE tenant_id = :tenant ORDER BY 1::text"
                )
                found += await db.scalars(statement, {"tenant": self.integrator.tenant_id})
        return found


def refused(response: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return response.status_code, response.json()["code"]


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
