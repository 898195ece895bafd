"""Common parsing of the simulator's payloads, and the types of their fields.

The simulator is part of this project, so every field has one type. Undeclared fields are ignored.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

CODE_LENGTH: Final = 64
"""Characters that can be stored."""

_NESTING: Final = frozenset({"model_type", "list_type"})
"""Pydantic's error types for a value that is not the expected object or list."""


class Payload(BaseModel):
    """A JSON object. Its errors do not contain the input."""

    model_config = ConfigDict(
        strict=True, frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )


Model = TypeVar("Model", bound=Payload)


def parse_json(body: bytes) -> Any:
    """Parse a body; raises ValueError if it is not JSON or nested too deep."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_payload(model: type[Model], document: object) -> Model:
    """Validate a document as a payload.

    Raises:
        KeyError: a field is missing.
        TypeError: a value is not the expected object or list.
        ValueError: a field has an invalid value.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _mistake(error) from None


def _mistake(error: ValidationError) -> Exception:
    found = {
        mistake["type"]
        for mistake in error.errors(include_url=False, include_context=False, include_input=False)
    }
    if "missing" in found:
        return KeyError("a field is missing")
    if found & _NESTING:
        return TypeError("an object or a list is expected")
    return ValueError("a field has a value that it cannot have")


def printable(given: str) -> str:
    """Return a string that can be stored and displayed; raises ValueError otherwise."""
    if not given or not given.isprintable():
        raise ValueError("not printable")
    return given


def _code(given: object) -> str:
    if type(given) not in (int, str):
        raise ValueError("neither a number nor a word")
    return printable(str(given)[:CODE_LENGTH])


def _moment(given: object) -> datetime:
    if not isinstance(given, str):
        raise ValueError("not a time")
    at = datetime.fromisoformat(given)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("outside of what datetime can hold") from None


Id = Annotated[str, Field(max_length=128), AfterValidator(printable)]
"""The simulator's id of an object."""

Code = Annotated[str, BeforeValidator(_code)]
"""An error code, a number or a string. It is truncated, because it is only displayed."""

Moment = Annotated[datetime, BeforeValidator(_moment)]
"""ISO 8601 with a zone, converted to UTC."""
