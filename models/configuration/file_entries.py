"""Base of the tables of a TOML file, and one line per mistake in them.

As with variables of the environment, values are never shown: one may be a secret.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from models.configuration.environment_settings import nearest
from models.configuration.regular_files import read_regular

LARGEST_FILE: Final = 1_000_000
"""Bytes of a file that is read."""

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FORMS: Final[Mapping[str, str]] = {
    "missing": "is not set",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "vendor must be one of {expected_tags}",
    "union_tag_not_found": "vendor is not set",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
}
"""What is valid, by the kind of a mistake. Pydantic's own text may contain the value."""


class FileMistake(ValueError):
    """A mistake whose message contains no value, so it is shown."""


class Entry(BaseModel):
    """A table of the file; an unknown key is a mistake."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            known = {field.alias or name for name, field in cls.model_fields.items()}
            unknown = [_unknown(str(key), known) for key in values if key not in known]
            if unknown:
                raise FileMistake("; ".join(unknown))
        return values


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder) / path


def _has_no_blank_ends(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise FileMistake("blanks around it, or a character that is not printable")
    return text


FilePath: TypeAlias = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path, relative to the folder of the file."""

Word: TypeAlias = Annotated[str, AfterValidator(_has_no_blank_ends)]

Variable: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]{0,127}$")]
"""The name of a variable of the environment.

It is shown if the variable is not set, so it must not look like a secret written in its place.
"""


class SecretSource(Entry):
    """Where a secret is: in an environment variable or in a file, never in the TOML file itself."""

    env: Variable | None = None
    file: FilePath | None = Field(default=None, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _is_a_place(cls, given: Any) -> Any:
        if not isinstance(given, Mapping | SecretSource):
            raise FileMistake('name its place: { env = "VARIABLE" } or { file = "path" }')
        return given

    @model_validator(mode="after")
    def _is_one_place(self) -> "SecretSource":
        if (self.env is None) == (self.file is None):
            raise FileMistake("either env or file")
        return self

    @property
    def place(self) -> str:
        """Where the secret is, for errors; never a path, which may be a secret by mistake."""
        return f"variable {self.env}" if self.env is not None else "the file that this key names"

    def read(self, environ: Mapping[str, str]) -> SecretStr:
        """Return the secret without surrounding white space.

        Raises:
            FileMistake: there is none; the message names the variable.
        """
        text = environ.get(self.env, "") if self.env is not None else self._text()
        if not text.strip():
            raise FileMistake(f"there is no secret in {self.place}")
        return SecretStr(text.strip())

    def _text(self) -> str:
        assert self.file is not None
        try:
            return read_regular(self.file, LARGEST_FILE).decode("utf-8")
        except (OSError, ValueError):  # a UnicodeDecodeError is a ValueError
            return ""


def mistakes(error: ValidationError, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each mistake: its place, and the valid form."""
    for mistake in error.errors(include_url=False, include_input=False):
        place = _place(mistake["loc"], document)
        yield f"{place}: {_words(mistake)}" if place else _words(mistake)


def _words(mistake: Any) -> str:
    context = mistake.get("ctx", {})
    if isinstance(context.get("error"), FileMistake):
        return str(context["error"])
    return _FORMS.get(mistake["type"], "has no valid form").format_map(context)


def _place(location: Sequence[int | str], document: Mapping[str, Any]) -> str:
    """Return the place of a mistake: the table by its name, then the key."""
    parts = list(location)
    if len(parts) < 2 or not isinstance(parts[1], int):
        return ".".join(map(str, parts))
    table, index = str(parts[0]), int(parts[1])
    rest = parts[2:]
    if table == "account" and rest:  # the next part is the vendor
        rest = rest[1:]
    return " ".join([table, _named(document, table, index), ".".join(map(str, rest))]).strip()


def _named(document: Mapping[str, Any], table: str, index: int) -> str:
    """Return the name of a table in a list, else its number, from 1."""
    try:
        name = document[table][index]["name"]
    except (KeyError, IndexError, TypeError):
        name = None
    return name if isinstance(name, str) and _KEY.fullmatch(name) else str(index + 1)


def _unknown(key: str, known: set[str]) -> str:
    shown = key if _KEY.fullmatch(key) else "a key"
    meant = nearest(key, known) if len(key) <= 64 else None
    return f"{shown} is unknown" + (f"; did you mean {meant}?" if meant else "")
