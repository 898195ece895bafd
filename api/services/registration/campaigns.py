"""The campaigns of a merchant, which require its approved brand."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, store_answer
from api.http.outcomes import Outcome
from api.http.pagination import Page, Slice
from api.schemas.messaging_campaigns import (
    V1MerchantMessagingCampaignRequest,
    V1MerchantMessagingCampaignView,
)
from api.services.registration.actions import RegistrationActions
from api.services.registration.brands import profile_of
from api.services.registration.scope import Scope, find_scope
from models.errors import ValidationFailed
from models.queries.registration.merchant_registrations import (
    find_brand,
    find_campaign,
    has_campaign,
    list_campaigns,
)
from models.queries.tenants.cursors import find_cursor_row
from models.registration_errors import (
    BrandNotApproved,
    CampaignNotEditable,
    CampaignNotFound,
    SoleProprietorLimit,
)
from models.rules.registration.campaign_texts import check_texts, warnings_of
from models.rules.registration.checks import Wrong, check_campaign
from models.rules.registration.lifecycle import EDITABLE
from models.rules.registration.profiles import CampaignProfile
from models.rules.registration.vocabulary import EntityType, RegistrationState
from models.session import WriteSession
from models.tables.base import row_id
from models.tables.messaging import Brand, Campaign


class Campaigns(RegistrationActions):
    """Actions on campaigns."""

    async def write(
        self,
        caller: Caller,
        merchant_id: str,
        order: V1MerchantMessagingCampaignRequest,
        request: IdempotentRequest,
    ) -> Outcome[V1MerchantMessagingCampaignView]:
        """Create or correct a campaign, and submit it unless it stays a draft.

        A repeated request returns the current campaign, unless it was written again since.

        Raises:
            ValidationFailed, MerchantNotFound, BrandNotApproved, CampaignNotFound,
            CampaignNotEditable, SoleProprietorLimit.
        """
        async with self._keyed(caller, merchant_id, request) as (db, scope, stored):
            campaign: Campaign | None
            brand: Brand | None
            if stored is None:
                now = self._clock()
                brand, campaign = await self._write(db, scope, order, now)
                view = campaign_view(campaign, brand, scope)
                await store_answer(db, caller, request, view, now)
            else:
                campaign = await find_campaign(db, scope.rows, int(stored["campaignId"]))
                brand = await find_brand(db, scope.rows)
                view = _answered(campaign, brand, scope, stored)
        return await self._answer(campaign, scope, view, fresh=stored is None)

    async def list(
        self, caller: Caller, merchant_id: str, page: Page
    ) -> Slice[V1MerchantMessagingCampaignView]:
        """Return a page of the merchant's campaigns, newest first."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
            after = await find_cursor_row(db, Campaign, caller.tenant_id, page.after_id())
            rows = await list_campaigns(db, scope.rows, after=after, most=page.limit + 1)
            brand = await find_brand(db, scope.rows)
        found = page.cut(rows, lambda campaign: campaign.public_id)
        return Slice([campaign_view(campaign, brand, scope) for campaign in found.items], found.end)

    async def _write(
        self,
        db: WriteSession,
        scope: Scope,
        order: V1MerchantMessagingCampaignRequest,
        now: datetime,
    ) -> tuple[Brand, Campaign]:
        """Return the written campaign and its brand."""
        profile = _profile(order)
        _refuse(check_campaign(profile))
        brand = await find_brand(db, scope.rows)
        if brand is None or brand.state != RegistrationState.APPROVED:
            stands = "There is no brand." if brand is None else f"The brand is {brand.state}."
            raise BrandNotApproved(stands)
        _refuse(check_texts(profile, profile_of(brand)))
        if order.campaign_id is None:
            await _check_room(db, scope, brand)
            campaign = _new(scope, brand, profile, now)
        else:
            campaign = await get_campaign(db, scope, order.campaign_id, locked=True)
            if campaign.state not in EDITABLE:
                raise CampaignNotEditable(
                    f"The campaign is {campaign.state}; only DRAFT and REJECTED can be changed."
                )
            campaign.profile = asdict(profile)
            campaign.revision += 1
            campaign.updated_at = now
        await self._write_down(db, campaign, submit=order.submit, now=now)
        return brand, campaign


async def _check_room(db: WriteSession, scope: Scope, brand: Brand) -> None:
    """Raise SoleProprietorLimit if the brand may have no further campaign."""
    if profile_of(brand).entity_type is not EntityType.SOLE_PROPRIETOR:
        return
    if await has_campaign(db, scope.rows):
        raise SoleProprietorLimit


async def get_campaign(
    db: WriteSession, scope: Scope, campaign_id: str, *, locked: bool = False
) -> Campaign:
    """Return one of the merchant's campaigns; raises CampaignNotFound."""
    campaign = await find_campaign(db, scope.rows, int(campaign_id), locked=locked)
    if campaign is None:
        raise CampaignNotFound
    return campaign


def campaign_view(
    campaign: Campaign, brand: Brand | None, scope: Scope
) -> V1MerchantMessagingCampaignView:
    """Return the view of a campaign, which belongs to the merchant's only brand at the registry."""
    assert brand is not None
    assert brand.id == campaign.brand_id
    return V1MerchantMessagingCampaignView.model_validate(
        {
            **campaign.profile,
            "campaign_id": str(campaign.public_id),
            "merchant_id": scope.merchant.external_id,
            "brand_id": str(brand.public_id),
            "status": campaign.state,
            "reasons": campaign.reasons,
            "warnings": [asdict(warning) for warning in warnings_of(_stored_profile(campaign))],
            "revision": campaign.revision,
            "submitted_at": campaign.submitted_at,
            "decided_at": campaign.decided_at,
            "updated_at": campaign.updated_at,
        }
    )


def _stored_profile(campaign: Campaign) -> CampaignProfile:
    return CampaignProfile(**campaign.profile)


def _new(scope: Scope, brand: Brand, profile: CampaignProfile, now: datetime) -> Campaign:
    return Campaign(
        tenant_id=scope.caller.tenant_id,
        merchant_id=row_id(scope.merchant.id),
        brand_id=row_id(brand.id),
        provider=scope.provider,
        account=scope.account,
        state=RegistrationState.DRAFT,
        profile=asdict(profile),
        created_at=now,
        updated_at=now,
    )


def _answered(
    campaign: Campaign | None, brand: Brand | None, scope: Scope, stored: dict[str, Any]
) -> V1MerchantMessagingCampaignView:
    """Return the campaign, or the stored answer if the campaign was written again since."""
    if campaign is None or campaign.revision != stored["revision"]:
        return V1MerchantMessagingCampaignView.model_validate(stored)
    return campaign_view(campaign, brand, scope)


def _profile(order: V1MerchantMessagingCampaignRequest) -> CampaignProfile:
    names = {field.name for field in fields(CampaignProfile)}
    return CampaignProfile(**{name: getattr(order, name) for name in names})


def _refuse(wrong: Sequence[Wrong]) -> None:
    if wrong:
        raise ValidationFailed("; ".join(map(": ".join, wrong))[:500], tuple(wrong))
