"""Registers a campaign at Twilio: a Messaging Service, then the campaign in it.

| Twilio's campaign status | our status |
|---|---|
| PENDING, IN_PROGRESS | PENDING |
| VERIFIED | DONE |
| FAILED, SUSPENDED, EXPIRED, DELETED | REJECTED, with its errors |

A corrected campaign is amended in place, unless a field changed that Twilio cannot amend (use case,
keywords, their answers, the opt-in flow): then it is deleted and created again in the same service.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from models.rules.registration.profiles import CampaignProfile
from models.rules.registration.vocabulary import RegistryStatus
from models.rules.senders.campaign_throughput import of_class
from providers.ports.messages import NotFound
from providers.ports.registration import (
    CampaignRequest,
    MoreCallsNeeded,
    OperationStatus,
    VendorState,
)
from providers.twilio.client import Form, RequestRejected, Twilio, text
from providers.twilio.progress import Done, Outcome, Progress, Step, advance, complete, look_up_step
from providers.twilio.reasons import of_errors

CAMPAIGN: Final = "campaign"
_SERVICE: Final = "service"
_FIXED: Final = "fixed"

_STATUSES: Final[dict[str, RegistryStatus]] = {
    "PENDING": RegistryStatus.PENDING,
    "IN_PROGRESS": RegistryStatus.PENDING,
    "VERIFIED": RegistryStatus.DONE,
    "FAILED": RegistryStatus.REJECTED,
    "SUSPENDED": RegistryStatus.REJECTED,
    "EXPIRED": RegistryStatus.REJECTED,
    "DELETED": RegistryStatus.REJECTED,
}


def service_of(state: VendorState) -> str | None:
    """Return the Messaging Service of a campaign, from the stored state."""
    sid: str | None = (state.get("sids") or {}).get(_SERVICE)
    return sid


async def submit(twilio: Twilio, request: CampaignRequest) -> OperationStatus | MoreCallsNeeded:
    """Run the next step of a registration."""
    return await advance(request, _steps(twilio, request), last=CAMPAIGN)


async def look_up(
    twilio: Twilio, request: CampaignRequest
) -> OperationStatus | MoreCallsNeeded | NotFound:
    """Return the outcome of the last step if its answer was lost, or the campaign's status."""
    steps = _steps(twilio, request)
    if not (request.taken and complete(request, steps)):
        return await look_up_step(request, steps, last=CAMPAIGN)
    sids = Progress.of(request).sids
    found = await twilio.find(f"{_campaigns(twilio, sids[_SERVICE])}/{sids[CAMPAIGN]}")
    return NotFound() if found is None else _operation_status(found)


def _steps(twilio: Twilio, request: CampaignRequest) -> Sequence[Step]:
    """Return the steps of a registration in order; their names are stored."""
    return (
        CreateService(twilio=twilio),
        DeleteRejected(twilio=twilio, fixed=_digest(request.profile), rejected=request.vendor_id),
        RegisterCampaignStep(
            twilio=twilio,
            profile=request.profile,
            brand=request.brand_vendor_id,
            rejected=request.vendor_id,
        ),
    )


def _operation_status(campaign: Mapping[str, Any]) -> OperationStatus:
    status = _STATUSES.get(str(campaign.get("campaign_status")), RegistryStatus.PENDING)
    return OperationStatus(
        status=status,
        vendor_id=text(campaign, "sid"),
        reasons=of_errors(campaign) if status is RegistryStatus.REJECTED else (),
        segments_per_second=_throughput(campaign) if status is RegistryStatus.DONE else None,
    )


def _throughput(campaign: Mapping[str, Any]) -> Decimal | None:
    limits = campaign.get("rate_limits")
    att = limits.get("att") if isinstance(limits, dict) else None
    message_class = att.get("msg_class") if isinstance(att, dict) else None
    return of_class(message_class) if isinstance(message_class, str) else None


def _campaigns(twilio: Twilio, service: str) -> str:
    return twilio.messaging(f"Services/{service}/Compliance/Usa2p")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateService:
    """Create the Messaging Service of a campaign and its numbers.

    Its features that change a message or choose a number are disabled: HexaVox does both.
    """

    twilio: Twilio

    @property
    def name(self) -> str:
        return _SERVICE

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        if _SERVICE in progress.sids:
            return Done()
        form: Form = {
            "FriendlyName": self.twilio.named(progress.reference),
            "UseInboundWebhookOnNumber": True,
            "SmartEncoding": False,
            "MmsConverter": False,
            "StickySender": False,
            "AreaCodeGeomatch": False,
        }
        made = await self.twilio.create(
            self.twilio.messaging("Services"), form, not_after=not_after
        )
        return Done(sid=text(made, "sid"))

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        named = self.twilio.named(progress.reference)
        async for service in self.twilio.list_items(self.twilio.messaging("Services"), "services"):
            if service.get("friendly_name") == named:
                return Done(sid=text(service, "sid"))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRejected:
    """Delete a rejected campaign that cannot be amended to the corrected one.

    Its `sid` is not an id of Twilio but a digest of the fields that cannot be amended.
    """

    twilio: Twilio
    fixed: str
    rejected: str | None

    @property
    def name(self) -> str:
        return _FIXED

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        if self.rejected is None or progress.sids.get(_FIXED) == self.fixed:
            return Done(sid=self.fixed)
        url = _campaigns(self.twilio, progress.sids[_SERVICE])
        await self.twilio.remove(f"{url}/{self.rejected}", not_after=not_after)
        return Done(sid=self.fixed)

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        gone = not await _is_there(self.twilio, progress, self.rejected)
        return Done(sid=self.fixed) if gone else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCampaignStep:
    """Register the campaign, which costs a fee, or amend the rejected one if it still exists."""

    twilio: Twilio
    profile: CampaignProfile
    brand: str
    rejected: str | None

    @property
    def name(self) -> str:
        return CAMPAIGN

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        url = _campaigns(self.twilio, progress.sids[_SERVICE])
        if await _is_there(self.twilio, progress, self.rejected):
            amended = await self.twilio.create(
                f"{url}/{self.rejected}", _amendable(self.profile), not_after=not_after
            )
            return Done(sid=text(amended, "sid"))
        form: Form = {
            "BrandRegistrationSid": self.brand,
            "UsAppToPersonUsecase": self.profile.use_case.value,
            **_amendable(self.profile),
            **_lasting(self.profile),
        }
        try:
            made = await self.twilio.create(url, form, not_after=not_after)
        except RequestRejected:
            # A service has one campaign: it may be ours, from a call whose answer was lost.
            ours = await self.find_outcome(progress)
            if ours is None:
                raise
            return ours
        return Done(sid=text(made, "sid"))

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        url = _campaigns(self.twilio, progress.sids[_SERVICE])
        async for campaign in self.twilio.list_items(url, "compliance"):
            if self._is_ours(campaign):
                return Done(sid=text(campaign, "sid"))
        return None

    def _is_ours(self, campaign: Mapping[str, Any]) -> bool:
        """Return whether it is the campaign of this step; it may be amended or decided already."""
        if campaign.get("sid") == self.rejected:
            return _operation_status(campaign).status is not RegistryStatus.REJECTED
        # Only we use the service; a deleted campaign in it is from an earlier operation.
        return self.rejected is None or campaign.get("campaign_status") != "DELETED"


async def _is_there(twilio: Twilio, progress: Progress, rejected: str | None) -> bool:
    """Return whether there is a rejected campaign to amend or to delete."""
    if rejected is None:
        return False
    url = _campaigns(twilio, progress.sids[_SERVICE])
    return await twilio.find(f"{url}/{rejected}") is not None


def _amendable(profile: CampaignProfile) -> dict[str, Any]:
    """Return the fields that Twilio can amend in a rejected campaign."""
    form: dict[str, Any] = {
        "Description": profile.description,
        "MessageFlow": profile.message_flow,
        "MessageSamples": profile.samples,
        "HasEmbeddedLinks": profile.embedded_link,
        "HasEmbeddedPhone": profile.embedded_phone,
        "AgeGated": profile.age_gated,
        "DirectLending": profile.direct_lending,
    }
    links = {
        "PrivacyPolicyUrl": profile.privacy_policy_url,
        "TermsAndConditionsUrl": profile.terms_url,
    }
    return form | {name: url for name, url in links.items() if url}


def _lasting(profile: CampaignProfile) -> dict[str, Any]:
    """Return the fields that Twilio cannot amend."""
    form: dict[str, Any] = {
        "SubscriberOptIn": bool(profile.opt_in_keywords),
        "OptOutMessage": profile.opt_out_message,
        "HelpMessage": profile.help_message,
        "OptInMessage": profile.opt_in_message,
        "OptInKeywords": profile.opt_in_keywords,
        "OptOutKeywords": profile.opt_out_keywords,
        "HelpKeywords": profile.help_keywords,
    }
    return {name: value for name, value in form.items() if value not in (None, ())}


def _digest(profile: CampaignProfile) -> str:
    fixed = [profile.use_case.value, _lasting(profile)]
    return hashlib.sha256(json.dumps(fixed, default=list).encode()).hexdigest()
