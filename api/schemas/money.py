"""Price schema of a message: decimal strings of USD with six places."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer, WithJsonSchema

from api.schemas.base import View
from models.enums import UsageState

Amount = Annotated[
    Decimal,
    PlainSerializer(lambda amount: f"{amount:.6f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+\.\d{6}$"}),
]
"""Exact: a string, so that clients do not parse it as a float."""


class MessagePrice(View):
    """Price of a message, as far as it is known."""

    provider_cost: Amount = Field(
        description="Cost charged by the provider, without carrier fees.", examples=["0.008300"]
    )
    carrier_fee: Amount = Field(
        description="Carrier fees passed on by the provider.", examples=["0.004500"]
    )
    markup: Amount = Field(description="Markup on the cost.", examples=["0.002560"])
    total: Amount = Field(
        description="Sum of `providerCost`, `carrierFee` and `markup`.", examples=["0.015360"]
    )
    currency: str = Field(description="Currency code, ISO 4217.", examples=["USD"])
    state: UsageState = Field(
        description="PROVISIONAL: calculated from the rate card, until the provider reports its "
        "own price. FINAL: settled; use it for billing.",
        examples=["FINAL"],
    )
