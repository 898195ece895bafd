"""Response schemas of usage reports."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema

from api.schemas.base import View
from models.enums import Channel, UsageState

Cents = Annotated[Decimal, WithJsonSchema({"type": "number"})]
"""USD with two decimals, a JSON number."""


class V1UsageReportResponse(View):
    """Usage and cost in a range of UTC days."""

    since: date = Field(
        alias="from", description="First day, UTC, inclusive.", examples=["2026-04-01"]
    )
    to: date = Field(description="Last day, UTC, inclusive.", examples=["2026-04-16"])
    total_sms_count: int = Field(
        description="Number of SMS that a provider accepted, counted on the day of the attempt.",
        examples=[1482],
    )
    total_email_count: int = Field(
        description="Number of e-mails that a provider accepted, counted on the day of the "
        "attempt. An e-mail to several recipients counts once.",
        examples=[304],
    )
    aws_cost: Cents = Field(
        description="Amount charged by AWS in USD, including carrier fees.", examples=[0.0]
    )
    hq_markup: Cents = Field(description="Markup on all provider cost, in USD.", examples=[27.14])
    final_charges: Cents = Field(
        description="Cost of all providers, including calls, plus `hqMarkup`, in USD.",
        examples=[91.32],
    )
    freshness_state: UsageState = Field(
        description="FINAL: every day of the range is closed and the figures never change; later "
        "corrections are posted to the day they become known. PROVISIONAL: the figures may still "
        "change.",
        examples=["PROVISIONAL"],
    )
    freshness_reason: str | None = Field(
        description="Why the report is PROVISIONAL. Null if it is FINAL.",
        examples=["Provider finalization still pending for one or more messages."],
    )
    merchant_id: str = Field(
        default="",
        description="The merchant the report covers. Present only if the report was requested for "
        "one merchant.",
        examples=["gym-a"],
    )


class UsageDayView(View):
    """A merchant's usage of one channel on one UTC day."""

    day: date = Field(description="UTC day.", examples=["2026-04-15"])
    channel: Channel = Field(description="Channel.", examples=["SMS"])
    messages: int = Field(
        description="Number of messages that a provider accepted, counted on the day of the "
        "attempt.",
        examples=[1482],
    )
    units: int = Field(
        description="Billed units: SMS segments, started minutes, e-mail recipients.",
        examples=[1490],
    )
    delivered: int = Field(
        description="Messages with the final status DELIVERED: of those counted in `messages`, and "
        "of earlier days' messages whose outcome a late report changed on this day.",
        examples=[1466],
    )
    failed: int = Field(
        description="Messages that a provider accepted, with the final status UNDELIVERED or "
        "FAILED, counted in the same way as `delivered`. A message that no provider accepted "
        "belongs to no day.",
        examples=[12],
    )
    charge: Cents = Field(
        description="Cost of all providers plus markup in USD, including corrections that were "
        "posted to this day.",
        examples=[91.32],
    )
    state: UsageState = Field(
        description="FINAL: the day is closed and its figures never change. PROVISIONAL: they may "
        "still change.",
        examples=["FINAL"],
    )
