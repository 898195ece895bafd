"""How an error looks (RFC 9457)."""

from pydantic import Field

from api.schemas.base import Schema


class FieldError(Schema):
    """One thing that is wrong with a request."""

    field: str = Field(description="Where, in the names of the contract.", examples=["merchantId"])
    message: str = Field(description="What, in words.", examples=["String should match pattern"])


class Problem(Schema):
    """The body of every answer that is not a success; served as application/problem+json."""

    type: str = Field(
        description="Identifies the kind of problem.",
        examples=["urn:hexavox:problem:MERCHANT_NOT_FOUND"],
    )
    title: str = Field(description="The kind, in words.", examples=["No such merchant"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="This occurrence, in words.", examples=["No such merchant"])
    code: str = Field(
        description="Stable word to program against.", examples=["MERCHANT_NOT_FOUND"]
    )
    request_id: str = Field(
        description="Name it when you ask us.", examples=["0f7c2f7d6b8e4c1f9a3e5d2b1c0a9f8e"]
    )
    errors: list[FieldError] | None = Field(
        default=None, description="With VALIDATION_FAILED: what is wrong, field by field."
    )
