"""Common to all bodies: camelCase, strict requests, responses without defaults."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from api.schemas.patterns import MERCHANT_ID

WITH_ZONE = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})", re.ASCII
)
"""An ISO 8601 time with a time zone."""


SHOWN: Final = "x-shown"
"""Key of a JSON schema: the fields that its example shows. The specification does not have it."""


class Schema(BaseModel):
    """Base of every body."""

    model_config = ConfigDict(alias_generator=to_camel, serialize_by_alias=True)


class RequestBody(Schema):
    """Base of requests: unknown fields are errors, and a number is not accepted as a string."""

    model_config = ConfigDict(extra="forbid")

    shown: ClassVar[tuple[str, ...]] = ()
    """Optional fields, by their names in JSON, of the example in the specification. It has all
    required fields. Swagger UI sends it as it is, so it is accepted by a new installation.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the fields that the example shows; api.http.specification.schemas makes it."""
        schema = handler(core_schema)
        body = handler.resolve_ref_schema(schema)
        body[SHOWN] = [*body.get("required", ()), *cls.shown]
        return schema


class View(Schema):
    """Base of responses: every field is always present. Built from a row or a stored response."""

    model_config = ConfigDict(from_attributes=True, validate_by_name=True, validate_by_alias=True)


def instant(moment: datetime) -> str:
    """Format a moment as ISO 8601 in UTC with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _only_written_with_zone(given: Any) -> Any:
    # pydantic would also take numbers as seconds since 1970.
    if isinstance(given, datetime) or (isinstance(given, str) and WITH_ZONE.fullmatch(given)):
        return given
    raise ValueError("must be an ISO 8601 time with a time zone, such as 2026-04-16T13:20:00Z")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # it is in the year 10000 or the year 0 there
        raise PydanticCustomError("datetime_object_invalid", "no such time in UTC") from None


Instant = Annotated[
    datetime,
    PlainSerializer(instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment in a response."""

GivenInstant = Annotated[
    AwareDatetime,
    BeforeValidator(_only_written_with_zone),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment in a request, in UTC."""

MerchantId = Annotated[str, StringConstraints(pattern=MERCHANT_ID)]
"""The integrator's identifier of a merchant."""
