"""Reports of usage, as the contract writes them."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema
from pydantic.config import JsonDict

from api.schemas.base import View
from models.enums import UsageState

Cents = Annotated[Decimal, WithJsonSchema({"type": "number"})]
"""USD with two decimals, a JSON number."""


def _may_be_absent(schema: JsonDict) -> None:
    """Tell of no default: where the field is not asked for, it is not there at all."""
    schema.pop("default", None)


class V1UsageReportResponse(View):
    """What was used in a range of UTC days, and what it costs."""

    since: date = Field(
        alias="from", description="First day, UTC, inclusive.", examples=["2026-04-01"]
    )
    to: date = Field(description="Last day, UTC, inclusive.", examples=["2026-04-16"])
    total_sms_count: int = Field(
        description="SMS that a provider took, each on the day it was asked to.", examples=[1482]
    )
    total_email_count: int = Field(
        description="E-mails that a provider took, likewise; one to many is one.", examples=[304]
    )
    aws_cost: Cents = Field(
        description="What AWS charged, USD, carrier fees included.", examples=[0.0]
    )
    hq_markup: Cents = Field(description="What is added to all cost, USD.", examples=[27.14])
    final_charges: Cents = Field(
        description="All provider cost, of AWS and of others, with hqMarkup, USD. Calls are in it.",
        examples=[91.32],
    )
    freshness_state: UsageState = Field(
        description="FINAL: every day of the range is closed, and these figures never change; "
        "what becomes known later is posted to the day it does. PROVISIONAL: they still may.",
        examples=["PROVISIONAL"],
    )
    freshness_reason: str | None = Field(
        description="What keeps it from being FINAL, in words; null when it is.",
        examples=["Provider finalization still pending for one or more messages."],
    )
    merchant_id: str = Field(
        default="",
        description="Whose usage it is; only there if the report was asked for one merchant.",
        examples=["gym-a"],
        json_schema_extra=_may_be_absent,
    )
