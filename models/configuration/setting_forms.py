"""Describes the valid form of a setting, as the end of "HEXAVOX_… must be …".

Errors show only the variable and this form, never the value, which may be a secret set under the
wrong name. Plain `int`, `float`, `bool` and enums need no form of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Form:
    """Description of the valid form of a value."""

    words: str


def form_of(field: FieldInfo) -> str:
    """Return the valid form of a setting's value.

    Raises LookupError for a type without one; use a type of models/configuration/setting_types.py.
    """
    metadata = [*field.metadata, *_nested(field.annotation)]
    for item in metadata:
        if isinstance(item, Form):
            return item.words
    kind = next(_plain(field.annotation))
    if kind is bool:
        return "true or false"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(member.value) for member in kind)}"
    if kind in (int, float):
        return _number(metadata, "a whole number" if kind is int else "a number")
    raise LookupError("a type without a form in words; see models/configuration/setting_types.py")


def _nested(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of Annotated parts of a union."""
    for part in get_args(annotation) if _is_union(annotation) else ():
        if get_origin(part) is Annotated:
            yield from get_args(part)[1:]


def _plain(annotation: Any) -> Iterator[Any]:
    """Yield the types of a value, without None and metadata."""
    if get_origin(annotation) is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif _is_union(annotation):
        for part in get_args(annotation):
            if part is not type(None):
                yield from _plain(part)
    else:
        yield annotation


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _number(metadata: list[Any], noun: str) -> str:
    least = [item.ge for item in metadata if isinstance(item, Ge)]
    above = [item.gt for item in metadata if isinstance(item, Gt)]
    most = [item.le for item in metadata if isinstance(item, Le)]
    if least and most:
        return f"{noun} from {least[0]} to {most[0]}"
    bounds = [f"{bound} or more" for bound in least] + [f"more than {bound}" for bound in above]
    bounds += [f"{bound} at most" for bound in most]
    return ", ".join([noun, *bounds])
