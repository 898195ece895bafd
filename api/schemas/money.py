"""What messages cost, as the contract writes it: decimal strings of USD with six places."""

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
"""Exact: a string, so that no reader makes a float of it."""


class MessagePrice(View):
    """What a message costs, as far as it is booked."""

    provider_cost: Amount = Field(
        description="What the provider takes, carrier fees apart.", examples=["0.008300"]
    )
    carrier_fee: Amount = Field(
        description="What the provider passes on to carriers.", examples=["0.004500"]
    )
    markup: Amount = Field(description="What is added.", examples=["0.002560"])
    total: Amount = Field(description="The sum of the three.", examples=["0.015360"])
    currency: str = Field(description="ISO 4217.", examples=["USD"])
    state: UsageState = Field(
        description="PROVISIONAL while the provider's own price is awaited: until then the rate "
        "card's figure stands in for it. FINAL is billing-safe.",
        examples=["FINAL"],
    )
