"""Numbers assigned to a campaign with registered keywords and answers."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from models.rules.registration.profiles import CampaignProfile
from models.rules.registration.vocabulary import (
    AssignmentState,
    NumberState,
    NumberType,
    RegistrationState,
    UseCase,
)
from models.tables.base import row_id
from models.tables.messaging import Brand, Campaign, MessagingNumber
from tests.factories import Owner
from tests.inbound.harness import InboundHarness
from tests.registration.test_checks import BRAND

PROFILE = CampaignProfile(
    use_case=UseCase.ACCOUNT_NOTIFICATION,
    description="d" * 40,
    message_flow="m" * 40,
    samples=("s" * 20, "s" * 20),
    opt_in_keywords=("START", "ALTA"),
    opt_out_keywords=("STOP", "BAJA", "SALIR"),
    help_keywords=("HELP", "AYUDA"),
    opt_in_message="Gym A: vuelve a recibir mensajes. AYUDA para ayuda, BAJA para salir.",
    opt_out_message="Gym A: you will receive no more messages. No recibirá más mensajes.",
    help_message="Gym A: escriba a help@gym-a.example.com. BAJA para salir.",
)


async def register(
    inbound: InboundHarness,
    number: str,
    *,
    owner: Owner | None = None,
    assignment: AssignmentState = AssignmentState.ASSIGNED,
    state: NumberState = NumberState.ACTIVE,
    released_ago: timedelta | None = None,
    edited: Mapping[str, Any] | None = None,
    approved: bool = True,
    assigned: bool = False,
    **changed: Any,
) -> None:
    """Assign a merchant's number to an approved campaign; `changed` overrides its profile.

    `edited` overrides what the merchant wrote since the approval; `assigned`: the number once was.
    """
    of, now = owner or inbound.owner, datetime.now(UTC)
    common: dict[str, Any] = {
        "tenant_id": of.tenant_id,
        "merchant_id": of.merchant_id,
        "provider": "simulator",
        "account": "simulator",
        "created_at": now,
        "updated_at": now,
    }
    async with inbound.database.transaction() as db:
        brand = Brand(**common, state=RegistrationState.APPROVED, profile=asdict(BRAND))
        db.add(brand)
        await db.flush()
        campaign = Campaign(
            **common,
            brand_id=row_id(brand.id),
            state=RegistrationState.APPROVED if edited is None else RegistrationState.REJECTED,
            profile={**asdict(PROFILE), **changed, **(edited or {})},
            approved_profile={**asdict(PROFILE), **changed} if approved else None,
        )
        db.add(campaign)
        await db.flush()
        db.add(
            MessagingNumber(
                **common,
                number=number,
                type=NumberType.LOCAL,
                state=state,
                campaign_id=row_id(campaign.id),
                assignment=assignment,
                assigned_at=now if assigned else None,
                released_at=None if released_ago is None else now - released_ago,
            )
        )
        if released_ago is not None:
            await db.execute(
                text("DELETE FROM sender_number WHERE number = :number"), {"number": number}
            )
