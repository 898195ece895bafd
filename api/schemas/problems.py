"""Error schema: problem details (RFC 9457)."""

from pydantic import Field
from pydantic.config import JsonDict

from api.schemas.base import Schema


def _never_null(schema: JsonDict) -> None:
    """Describe only the list: without errors the field is absent."""
    kinds = schema.pop("anyOf")
    assert isinstance(kinds, list)
    assert isinstance(kinds[0], dict)
    schema.update(kinds[0])


class FieldError(Schema):
    """A validation error of one field."""

    field: str = Field(description="Name of the field as in the request.", examples=["merchantId"])
    message: str = Field(
        description="What is wrong with the value.",
        examples=["must not be blank"],
    )


class Problem(Schema):
    """The body of every error response, served as application/problem+json."""

    type: str = Field(
        description="URN that identifies the kind of error.",
        examples=["urn:hexavox:problem:MERCHANT_NOT_FOUND"],
    )
    title: str = Field(
        description="Short description of the kind of error.", examples=["No such merchant"]
    )
    status: int = Field(description="HTTP status code.", examples=[404])
    detail: str = Field(
        description="Description of this occurrence.", examples=["No such merchant"]
    )
    code: str = Field(
        description="Stable error code for programs.", examples=["MERCHANT_NOT_FOUND"]
    )
    request_id: str = Field(
        description="Identifier of the request. Include it when you contact support.",
        examples=["0f7c2f7d6b8e4c1f9a3e5d2b1c0a9f8e"],
    )
    errors: list[FieldError] | None = Field(
        default=None,
        description="Errors by field. Present for 400 errors that concern single fields.",
        json_schema_extra=_never_null,
    )
