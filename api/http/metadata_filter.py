"""The filters `metadata.<name>` of lists, whose names are the integrator's own."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from api.schemas.messages import LONGEST_NAME, LONGEST_VALUE, MOST_METADATA
from models.errors import ValidationFailed

METADATA: Final = "metadata."
"""Prefix of the parameters."""

METADATA_FILTER: Final[Mapping[str, Any]] = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "description": "Return messages with this metadata only, as `metadata.<name>=<value>`, such as "
    "`metadata.orderId=A-1001`. Name and value must be equal; an empty value matches an empty one. "
    "Several names must all match. Special characters are percent-encoded.",
    # As an object in this form is sent: each member as a parameter of its own.
    "style": "form",
    "explode": True,
    "schema": {
        "type": "object",
        "maxProperties": MOST_METADATA,
        "propertyNames": {"pattern": rf"^metadata\.[\s\S]{{1,{LONGEST_NAME}}}$"},
        "additionalProperties": {"type": "string", "maxLength": LONGEST_VALUE},
    },
    "example": {"metadata.orderId": "A-1001"},
}
"""Entry of `openapi_extra["parameters"]`; a route that has it accepts such parameters."""


async def read_metadata_filter(request: Request) -> Mapping[str, str]:
    """Return the names and values to search for; raises ValidationFailed."""
    given = {
        name: value
        for name, value in request.query_params.multi_items()
        if name.startswith(METADATA)
    }
    errors = []
    for name, value in given.items():
        if not 1 <= len(name) - len(METADATA) <= LONGEST_NAME:
            reason = f"must have a name of 1 to {LONGEST_NAME} characters after the dot"
            errors.append((name[:100], reason))
        if len(value) > LONGEST_VALUE:
            errors.append((name[:100], f"must have at most {LONGEST_VALUE} characters"))
    if len(given) > MOST_METADATA:
        errors.append(("metadata", f"must have at most {MOST_METADATA} names"))
    if errors:
        raise ValidationFailed(errors=tuple(errors))
    return {name.removeprefix(METADATA): value for name, value in given.items()}
