"""Request and response schemas of API keys."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from api.schemas.base import GivenInstant, Instant, MerchantId, RequestBody, View
from api.schemas.text_types import OneLine
from models.enums import KeyScope


def _each_once(scopes: list[KeyScope]) -> list[KeyScope]:
    if len(set(scopes)) < len(scopes):
        raise ValueError("must name each scope once")
    return scopes


_WHAT_SCOPES_ALLOW = (
    "What the key may do. `send`: messages, calls, e-mails, quotes, cancellations and consents. "
    "`read`: every GET that shows no secret. `billing`: upgrades. `admin`: everything else, such "
    "as merchants, 10DLC registration, voice provisioning, webhooks and keys."
)


class V1KeyRequest(RequestBody):
    """An API key to create."""

    name: Annotated[OneLine, StringConstraints(max_length=100)] = Field(
        description="What the key is for, 1 to 100 characters.", examples=["Checkout service"]
    )
    merchant_id: MerchantId | None = Field(
        default=None,
        description="Limits the key to one merchant. Default: the merchant of the key that creates "
        "it, or the whole tenant.",
        examples=["gym-a"],
    )
    scopes: Annotated[
        list[KeyScope],
        Field(min_length=1, max_length=len(KeyScope), json_schema_extra={"uniqueItems": True}),
        AfterValidator(_each_once),
    ] = Field(
        description=f"{_WHAT_SCOPES_ALLOW} The key that creates it must have each of them.",
        examples=[["send", "read"]],
    )
    expires_at: GivenInstant | None = Field(
        default=None,
        description="When the key stops working. Default: never. Must not be later than the expiry "
        "of the key that creates it.",
        examples=["2027-04-16T00:00:00Z"],
    )


class KeyView(View):
    """An API key, without its secret."""

    key_id: str = Field(description="Identifier of the key.", examples=["2385672620646126"])
    name: str = Field(description="What the key is for.", examples=["Checkout service"])
    api_key: str = Field(
        description="The value of `X-API-KEY`.",
        examples=["hxk_mEdG3n0wVc8mXq1pYzR5tL7kJ2hB4sA9fD6gN0uQeWo"],
    )
    merchant_id: str | None = Field(
        description="The merchant that the key is limited to. Null: the whole tenant.",
        examples=["gym-a"],
    )
    scopes: list[KeyScope] = Field(description=_WHAT_SCOPES_ALLOW, examples=[["send", "read"]])
    expires_at: Instant | None = Field(
        description="When the key stops working. Null if it does not expire.",
        examples=["2027-04-16T00:00:00.000Z"],
    )
    last_used_at: Instant | None = Field(
        description="The minute of its last request with a valid secret. It is written a few "
        "seconds later. Null if it was never used.",
        examples=["2026-04-16T13:20:00.000Z"],
    )
    created_at: Instant = Field(
        description="When the key was created.", examples=["2026-04-16T13:20:32.942Z"]
    )


class CreatedKeyView(KeyView):
    """A new API key."""

    api_secret: str | None = Field(
        default=None,
        description="The value of `X-API-SECRET`. Only in the response that creates the key; a "
        "replayed response does not have it.",
        examples=["hxs_Qv7yT2xW9cR4nB6mK8jH1gF3dS5aP0oI7uY2tE4wZqM"],
    )
