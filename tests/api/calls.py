"""Calls in their final state."""

from datetime import UTC, datetime, timedelta
from typing import Any

from models.enums import AttemptState, Channel, MessageStatus, ReportStatus
from models.session import Database
from models.tables.message import Attempt, Receipt
from tests.api.integrator import Integrator, make_merchant, make_message
from tests.shown_ids import shown

NOON = datetime(2026, 4, 16, 12, tzinfo=UTC)


async def make_call(
    database: Database,
    gym: Integrator,
    *,
    record: bool = True,
    status: MessageStatus = MessageStatus.DELIVERED,
    provider_id: str | None = "call-1",
    **facts: Any,
) -> int:
    """Add a call of 70 seconds with its reports; return its public id."""
    merchant = await make_merchant(database, gym.tenant_id, f"m-{datetime.now(UTC).timestamp()}")
    call = await make_message(
        database,
        gym.tenant_id,
        merchant,
        channel=Channel.VOICE,
        details={"record": record},
        status=status,
        accepted_at=NOON,
        **facts,
    )
    who: dict[str, Any] = {
        "tenant_id": gym.tenant_id,
        "provider": "simulator",
        "account": "simulator",
        "message_id": call,
    }
    async with database.transaction() as db:
        db.add(
            Attempt(
                **who,
                number=1,
                state=AttemptState.ACCEPTED if provider_id else AttemptState.AMBIGUOUS,
                provider_message_id=provider_id,
                requested_at=NOON + timedelta(seconds=1),
                deadline=NOON + timedelta(seconds=30),
            )
        )
        await db.flush()
        for second, phase, report in (
            (2, "ringing", ReportStatus.SENT),
            (3, "answered", ReportStatus.SENT),
            (4, "completed", ReportStatus.DELIVERED),
        ):
            if status is not MessageStatus.DELIVERED and phase != "ringing":
                break
            db.add(
                Receipt(
                    **who,
                    event_id=f"{call}-{phase}",
                    attempt=1,
                    status=report,
                    phase=phase,
                    duration_seconds=70 if phase == "completed" else None,
                    reported_at=NOON + timedelta(seconds=second),
                    received_at=NOON + timedelta(seconds=second),
                    look_at=NOON + timedelta(seconds=second),
                )
            )
    return await shown(database, "message", call)
