"""The brand of a merchant: creates, corrects, submits and reads it."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, store_answer
from api.http.outcomes import Outcome
from api.schemas.messaging_brands import (
    V1MerchantMessagingBrandRequest,
    V1MerchantMessagingBrandView,
)
from api.services.registration.actions import RegistrationActions
from api.services.registration.scope import Scope, find_scope
from models.errors import ValidationFailed
from models.queries.registration.merchant_registrations import find_brand
from models.registration_errors import BrandNotEditable, BrandNotFound
from models.rules.registration.checks import check_brand
from models.rules.registration.lifecycle import EDITABLE
from models.rules.registration.profiles import BrandProfile
from models.rules.registration.vocabulary import RegistrationState
from models.session import WriteSession
from models.tables.base import row_id
from models.tables.messaging import Brand

_MASKED = 4
"""Last characters of a tax number that are shown."""


class Brands(RegistrationActions):
    """Actions on brands."""

    async def write(
        self,
        caller: Caller,
        merchant_id: str,
        order: V1MerchantMessagingBrandRequest,
        request: IdempotentRequest,
    ) -> Outcome[V1MerchantMessagingBrandView]:
        """Create or correct the brand, and submit it unless it stays a draft.

        A repeated request returns the current brand, unless it was written again since.

        Raises:
            ValidationFailed, MerchantNotFound, BrandNotEditable.
        """
        async with self._keyed(caller, merchant_id, request) as (db, scope, stored):
            brand = await find_brand(db, scope.rows, locked=True)
            if stored is None:
                profile = _read(order)
                now = self._clock()
                brand = await self._write(db, scope, brand, profile, order.submit, now)
                await store_answer(db, caller, request, brand_view(brand, scope), now)
            view = _answered(brand, scope, stored)
        return await self._answer(brand, scope, view, fresh=stored is None)

    async def get(self, caller: Caller, merchant_id: str) -> V1MerchantMessagingBrandView:
        """Return the brand; raises BrandNotFound."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
            brand = await find_brand(db, scope.rows)
        if brand is None:
            raise BrandNotFound
        return brand_view(brand, scope)

    async def _write(
        self,
        db: WriteSession,
        scope: Scope,
        brand: Brand | None,
        profile: BrandProfile,
        submit: bool,
        now: datetime,
    ) -> Brand:
        if brand is None:
            brand = Brand(
                tenant_id=scope.caller.tenant_id,
                merchant_id=row_id(scope.merchant.id),
                provider=scope.provider,
                account=scope.account,
                state=RegistrationState.DRAFT,
                profile=asdict(profile),
                created_at=now,
                updated_at=now,
            )
        else:
            if brand.state not in EDITABLE:
                raise BrandNotEditable(
                    f"The brand is {brand.state}; only a DRAFT or REJECTED one can be changed."
                )
            brand.profile = asdict(profile)
            brand.revision += 1
            brand.updated_at = now
        await self._write_down(db, brand, submit=submit, now=now)
        return brand


def brand_view(brand: Brand, scope: Scope) -> V1MerchantMessagingBrandView:
    """Return the view of a brand; its tax number is masked except for the last characters."""
    ein = brand.profile["ein"]
    masked = None if ein is None else ein[-_MASKED:].rjust(len(ein), "*")
    return V1MerchantMessagingBrandView.model_validate(
        {
            **brand.profile,
            "ein": masked,
            "brand_id": str(brand.public_id),
            "merchant_id": scope.merchant.external_id,
            "status": brand.state,
            "reasons": brand.reasons,
            "revision": brand.revision,
            "submitted_at": brand.submitted_at,
            "decided_at": brand.decided_at,
            "updated_at": brand.updated_at,
        }
    )


def profile_of(brand: Brand) -> BrandProfile:
    """Return the stored profile of the merchant."""
    return BrandProfile(**brand.profile)


def _answered(
    brand: Brand | None, scope: Scope, stored: dict[str, Any] | None
) -> V1MerchantMessagingBrandView:
    """Return the brand, or the stored answer if the brand was written again since."""
    if brand is not None and (
        stored is None
        or (str(brand.public_id), brand.revision) == (stored["brandId"], stored["revision"])
    ):
        return brand_view(brand, scope)
    return V1MerchantMessagingBrandView.model_validate(stored)


def _read(order: V1MerchantMessagingBrandRequest) -> BrandProfile:
    """Return the profile to register, or raise ValidationFailed."""
    names = {field.name for field in fields(BrandProfile)}
    profile = BrandProfile(**{name: getattr(order, name) for name in names})
    wrong = tuple(check_brand(profile))
    if wrong:
        raise ValidationFailed("; ".join(map(": ".join, wrong))[:500], wrong)
    return profile
