"""The Trust Hub: objects that Twilio requires before it registers a brand.

A secondary customer profile contains the business, its representative and its address, and
references the operator's own approved profile. A trust product describes the kind of sender. Both
are bundles: objects are created and assigned to the bundle, which is evaluated and then submitted
for review.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from providers.twilio.client import Form, Twilio, text
from providers.twilio.progress import Done, InReview, Outcome, Progress, Rejected
from providers.twilio.reasons import of_errors, of_evaluation

PROFILES: Final = "CustomerProfiles"
PRODUCTS: Final = "TrustProducts"
DOCUMENTS: Final = "SupportingDocuments"

_COMPLIANT: Final = "compliant"
_IN_REVIEW: Final = frozenset({"pending-review", "in-review"})
_APPROVED: Final = "twilio-approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBundle:
    """Create an empty bundle; a row keeps its bundle when it is corrected."""

    twilio: Twilio
    name: str
    kind: str
    policy: str
    email: str

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        if self.name in progress.sids:
            return Done()
        form = {"FriendlyName": _named(self, progress), "Email": self.email}
        made = await self.twilio.create(
            self.twilio.trusthub(self.kind), {**form, "PolicySid": self.policy}, not_after=not_after
        )
        return Done(sid=text(made, "sid"))

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        wanted = {"FriendlyName": _named(self, progress), "PolicySid": self.policy}
        async for bundle in self.twilio.list_items(
            self.twilio.trusthub(self.kind), "results", wanted
        ):
            if bundle.get("friendly_name") == wanted["FriendlyName"]:
                return Done(sid=text(bundle, "sid"))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEntity:
    """Create an end user or a supporting document, or update the existing one."""

    twilio: Twilio
    name: str
    resource: str
    """EndUsers or SupportingDocuments."""
    type: str
    attributes: Callable[[Progress], Mapping[str, str]]
    lasting: bool = False
    """Its content does not change when a brand is corrected."""

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        attributes = {"Attributes": json.dumps(dict(self.attributes(progress)))}
        url = self.twilio.trusthub(self.resource)
        known = progress.sids.get(self.name)
        if known is not None and self.lasting:
            return Done()
        if known is not None:
            await self.twilio.create(f"{url}/{known}", attributes, not_after=not_after)
            return Done()
        form = {"FriendlyName": _named(self, progress), "Type": self.type, **attributes}
        made = await self.twilio.create(url, form, not_after=not_after)
        return Done(sid=text(made, "sid"))

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        if self.name in progress.sids:
            return None  # unchanged: no call needed
        named = _named(self, progress)
        async for found in self.twilio.list_items(self.twilio.trusthub(self.resource), "results"):
            if found.get("friendly_name") == named:
                return Done(sid=text(found, "sid"))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAddress:
    """Create the business's address, or update it.

    Twilio cannot change the country of an address, so `name` includes it: a new country gets a new
    address.
    """

    twilio: Twilio
    name: str
    address: Form

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        known = progress.sids.get(self.name)
        if known is not None:
            fixed = {name: value for name, value in self.address.items() if name != "IsoCountry"}
            url = self.twilio.api(f"Addresses/{known}")
            await self.twilio.create(url, fixed, not_after=not_after)
            return Done()
        form = {**self.address, "FriendlyName": _named(self, progress)}
        made = await self.twilio.create(self.twilio.api("Addresses"), form, not_after=not_after)
        return Done(sid=text(made, "sid"))

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        if self.name in progress.sids:
            return None
        named = {"FriendlyName": _named(self, progress)}
        async for found in self.twilio.list_items(self.twilio.api("Addresses"), "addresses", named):
            if found.get("friendly_name") == named["FriendlyName"]:
                return Done(sid=text(found, "sid"))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAddress:
    """Make the document of a corrected brand reference its address, if it references another.

    Its `sid` is that of the referenced address. A document created in this operation has the right
    one.
    """

    twilio: Twilio
    document: str
    address: str

    @property
    def name(self) -> str:
        return f"{self.document} address"

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        wanted = progress.sids[self.address]
        if progress.sids.get(self.name, wanted) != wanted:
            url = self.twilio.trusthub(f"{DOCUMENTS}/{progress.sids[self.document]}")
            attributes = {"Attributes": json.dumps({"address_sids": wanted})}
            await self.twilio.create(url, attributes, not_after=not_after)
        return Done(sid=wanted)

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        return None  # unchanged: no call needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Assign an object to a bundle, unless it is assigned."""

    twilio: Twilio
    kind: str
    bundle: str
    item: Callable[[Progress], str]
    item_name: str

    @property
    def name(self) -> str:
        return f"{self.item_name} in {self.bundle}"

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        if self.name in progress.sids:
            return Done()
        made = await self.twilio.create(
            self._url(progress), {"ObjectSid": self.item(progress)}, not_after=not_after
        )
        return Done(sid=text(made, "sid"))

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        item = self.item(progress)
        async for assigned in self.twilio.list_items(self._url(progress), "results"):
            if assigned.get("object_sid") == item:
                return Done(sid=text(assigned, "sid"))
        return None

    def _url(self, progress: Progress) -> str:
        return self.twilio.trusthub(f"{self.kind}/{progress.sids[self.bundle]}/EntityAssignments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Run Twilio's completeness check of a bundle; it can be repeated."""

    twilio: Twilio
    kind: str
    bundle: str
    policy: str

    @property
    def name(self) -> str:
        return f"{self.bundle} evaluated"

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        url = self.twilio.trusthub(f"{self.kind}/{progress.sids[self.bundle]}/Evaluations")
        told = await self.twilio.create(url, {"PolicySid": self.policy}, not_after=not_after)
        if text(told, "status") != _COMPLIANT:
            return Rejected(reasons=of_evaluation(told))
        return Done()

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitBundle:
    """Submit a bundle for review, unless it is in review or approved."""

    twilio: Twilio
    kind: str
    bundle: str

    @property
    def name(self) -> str:
        return f"{self.bundle} handed in"

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        handed_in = await self.find_outcome(progress)
        if handed_in is not None:
            return Done()
        url = self.twilio.trusthub(f"{self.kind}/{progress.sids[self.bundle]}")
        await self.twilio.create(url, {"Status": "pending-review"}, not_after=not_after)
        return Done()

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        status = (await _bundle(self.twilio, self.kind, progress.sids[self.bundle])).get("status")
        return Done() if status in _IN_REVIEW or status == _APPROVED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReview:
    """Wait until a bundle is approved, which the registration requires."""

    twilio: Twilio
    kind: str
    bundle: str

    @property
    def name(self) -> str:
        return f"{self.bundle} approved"

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        return await self._look(progress)

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        return await self._look(progress)

    async def _look(self, progress: Progress) -> Outcome:
        bundle = await _bundle(self.twilio, self.kind, progress.sids[self.bundle])
        match bundle.get("status"):
            case "twilio-approved":
                return Done()
            case "twilio-rejected" | None:  # None: it was deleted manually
                return Rejected(reasons=of_errors(bundle))
            case _:
                return InReview()


async def _bundle(twilio: Twilio, kind: str, sid: str) -> Mapping[str, Any]:
    return await twilio.find(twilio.trusthub(f"{kind}/{sid}")) or {}


def _named(step: CreateBundle | WriteEntity | CreateAddress, progress: Progress) -> str:
    return step.twilio.named(f"{progress.reference} {step.name}")
