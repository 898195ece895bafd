"""Registering a campaign at Twilio: a Messaging Service of its own, then the campaign in it.

| Twilio's campaign status | stands |
|---|---|
| PENDING, IN_PROGRESS | PENDING |
| VERIFIED | DONE |
| FAILED, SUSPENDED, EXPIRED, DELETED | REJECTED, with its errors |

A rejected campaign that was corrected is amended in place, unless something changed that Twilio
does not let change (use case, keywords, their answers, how one subscribes): then it is deleted and
made anew in the same service.
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
    """Return the Messaging Service of a campaign, from what is stored with it."""
    sid: str | None = (state.get("sids") or {}).get(_SERVICE)
    return sid


async def submit(twilio: Twilio, request: CampaignRequest) -> OperationStatus | MoreCallsNeeded:
    """Take the next step of a registration."""
    return await advance(request, _steps(twilio, request), last=CAMPAIGN)


async def look_up(
    twilio: Twilio, request: CampaignRequest
) -> OperationStatus | MoreCallsNeeded | NotFound:
    """Say whether the last step was taken, or how the campaign stands."""
    steps = _steps(twilio, request)
    if not (request.taken and complete(request, steps)):
        return await look_up_step(request, steps, last=CAMPAIGN)
    sids = Progress.of(request).sids
    found = await twilio.find(f"{_campaigns(twilio, sids[_SERVICE])}/{sids[CAMPAIGN]}")
    return NotFound() if found is None else _operation_status(found)


def _steps(twilio: Twilio, request: CampaignRequest) -> Sequence[Step]:
    """Return the steps of a registration in their order; what they are named is stored."""
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
    """Make the Messaging Service that a campaign and its numbers belong to.

    Its own features that change a message or choose a number are off: both are ours to do.
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
    """Delete a rejected campaign that cannot be amended to what is wanted now.

    Its `sid` is no id of Twilio's but a digest of what cannot be amended.
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
    """Register the campaign, which costs a fee, or amend the rejected one that is still there."""

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
            # A service has one campaign: perhaps ours, by a call whose answer was lost.
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
        """Say whether it is the one to be made, which may be decided by now, or is amended."""
        if campaign.get("sid") == self.rejected:
            return _operation_status(campaign).status is not RegistryStatus.REJECTED
        # Nobody else uses the service; what may be left in it is what an earlier operation deleted.
        return self.rejected is None or campaign.get("campaign_status") != "DELETED"


async def _is_there(twilio: Twilio, progress: Progress, rejected: str | None) -> bool:
    """Say whether there is a rejected campaign to amend or to delete."""
    if rejected is None:
        return False
    url = _campaigns(twilio, progress.sids[_SERVICE])
    return await twilio.find(f"{url}/{rejected}") is not None


def _amendable(profile: CampaignProfile) -> dict[str, Any]:
    """Return what Twilio lets change in a campaign it rejected."""
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
    """Return what Twilio keeps as it was first said."""
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
