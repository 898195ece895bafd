"""An integrator that registers its merchant, and waits for the registry's decisions."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.e2e.harness import Integrator, until
from tests.messaging import BRAND, CAMPAIGN


@dataclass(frozen=True)
class Registrar:
    """The registrations of one merchant."""

    integrator: Integrator

    @property
    def path(self) -> str:
        """Base path of the routes."""
        return f"/merchants/{self.integrator.owner.merchant}/messaging"

    async def post(self, what: str, body: object, *, key: str | None = None) -> dict[str, Any]:
        """Send a request that must be accepted."""
        answer = await self.integrator.post(f"{self.path}/{what}", body, key=key)
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def get(self, what: str) -> Any:
        """Send a GET."""
        answer = await self.integrator.get(f"{self.path}/{what}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def brand(self, legal_name: str = "Gym A LLC") -> dict[str, Any]:
        """Register a brand and return it after the decision."""
        await self.post("brand", {**BRAND, "legalName": legal_name})
        return await self.decided("brand")

    async def campaign(self, campaign_id: str | None = None) -> dict[str, Any]:
        """Register a campaign and return it after the decision."""
        view = await self.post("campaigns", {**CAMPAIGN, "campaignId": campaign_id})
        return await self.decided("campaigns", campaignId=view["campaignId"])

    async def bought(self, area_code: str, *, key: str | None = None) -> dict[str, Any]:
        """Buy the first number of an area code; return it after the purchase."""
        offered = await self.get(f"numbers/available?areaCode={area_code}&limit=1")
        view = await self.post("numbers", {"number": offered[0]["number"]}, key=key)
        return await self.number(view["number"], status=["ACTIVE", "FAILED"])

    async def number(self, number: str, **wanted: list[str | None]) -> dict[str, Any]:
        """Return a number once each field has one of the wanted values."""
        view: dict[str, Any] = {}

        async def as_wanted() -> bool:
            found = [n for n in await self.get("numbers") if n["number"] == number]
            view.update(found[0])
            return all(view[name] in words for name, words in wanted.items())

        await until(as_wanted)
        return view

    async def decided(self, what: str, **wanted: str) -> dict[str, Any]:
        """Return a brand or campaign after the decision."""
        view: dict[str, Any] = {}

        async def over() -> bool:
            found = await self.get(what)
            if isinstance(found, list):
                found = next(one for one in found if wanted.items() <= one.items())
            view.update(found)
            return view["status"] in ("APPROVED", "REJECTED")

        await until(over)
        return view

    async def release(self, number: str) -> dict[str, Any]:
        """Request the release of a number."""
        harness = self.integrator.harness
        answer = await harness.http.delete(
            f"{harness.stack.api_url}/api/v1{self.path}/numbers/{quote(number)}",
            headers=self.integrator.headers,
        )
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def registered(self, collection: str) -> list[dict[str, Any]]:
        """Return the registry's records of this tenant."""
        harness = self.integrator.harness
        answer = await harness.http.get(
            f"{harness.stack.simulator_url}/registrations", params={"collection": collection}
        )
        kind = {"brands": "brand", "campaigns": "campaign"}.get(collection, "number")
        ours = f"hxr-{kind}-{self.integrator.owner.tenant_public_id}-"
        return [one for one in answer.json()["items"] if one["reference"].startswith(ours)]
