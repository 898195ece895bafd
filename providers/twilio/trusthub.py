"""The Trust Hub: what Twilio wants to know of a business before its brand is registered.

A secondary customer profile holds who the business is, who speaks for it and where it is, and names
the operator's own approved profile. A trust product holds what kind of sender it is. Both are
bundles: things are made, assigned to the bundle, evaluated, and the bundle is handed in for review.
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
    """Make an empty bundle; a row keeps its own over every correction."""

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
    """Make an end user or a supporting document, or bring the one there is up to date."""

    twilio: Twilio
    name: str
    resource: str
    """EndUsers or SupportingDocuments."""
    type: str
    attributes: Callable[[Progress], Mapping[str, str]]
    lasting: bool = False
    """What it says does not change when a brand is corrected."""

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
            return None  # to say the same once more changes nothing
        named = _named(self, progress)
        async for found in self.twilio.list_items(self.twilio.trusthub(self.resource), "results"):
            if found.get("friendly_name") == named:
                return Done(sid=text(found, "sid"))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAddress:
    """Make the business's address, or bring it up to date.

    Twilio never changes an address's country, so `name` tells it: another country is another one.
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
    """Let a document name the address of a corrected brand, if it names another.

    Its `sid` is that of the address which is named. A document just made names the right one.
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
        return None  # to say the same once more changes nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Put something into a bundle; what lies in it stays there."""

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
    """Let Twilio check a bundle for completeness; it may be checked as often as one likes."""

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
    """Hand a bundle in for review, unless it is in review or approved."""

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
    """Wait until a bundle is approved: a brand is registered under approved ones only."""

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
            case "twilio-rejected" | None:  # None: it was deleted by hand
                return Rejected(reasons=of_errors(bundle))
            case _:
                return InReview()


async def _bundle(twilio: Twilio, kind: str, sid: str) -> Mapping[str, Any]:
    return await twilio.find(twilio.trusthub(f"{kind}/{sid}")) or {}


def _named(step: CreateBundle | WriteEntity | CreateAddress, progress: Progress) -> str:
    return step.twilio.named(f"{progress.reference} {step.name}")
