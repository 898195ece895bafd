"""Base of all settings: reads the environment and reports one line per mistake.

Values are never shown: they may be secrets, or secrets set under the wrong name.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Self

from pydantic import AliasChoices, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from models.configuration.setting_forms import form_of


class BadSettings(Exception):
    """Invalid settings; the message has one line for each, without its value."""


class EnvironmentSettings(BaseSettings):
    """Settings read from environment variables; an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # errors would otherwise show secrets
    )

    @classmethod
    def read(cls, **fixed: Any) -> Self:
        """Read the environment; `fixed` fields are not looked up there.

        Raises BadSettings.
        """
        try:
            return cls(**fixed)
        except ValidationError as error:
            message = "\n".join(dict.fromkeys(_mistakes(cls, error)))
        # a compound value is not the JSON that pydantic-settings expects
        except SettingsError as error:
            message = str(error).splitlines()[0]
        raise BadSettings(message)

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Return the environment variable of each field."""
        return {name: _variable(cls, name) for name in cls.model_fields}


def nearest(name: str, known: set[str]) -> str | None:
    """Return the known variable most similar to a misspelt one; None if none is similar."""
    found = get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return found[0] if found else None


def _mistakes(kind: type[EnvironmentSettings], error: ValidationError) -> Iterator[str]:
    fields = {variable: name for name, variable in kind.variables().items()}
    for mistake in error.errors(include_url=False, include_input=False):
        if not mistake["loc"]:  # about several fields: the text is our own
            yield mistake["msg"].removeprefix("Value error, ")
            continue
        where = str(mistake["loc"][0])
        name = fields.get(where, where)
        form = form_of(kind.model_fields[name])
        wrong = "is not set; it must be" if mistake["type"] == "missing" else "must be"
        yield f"{_variable(kind, name)} {wrong} {form}"


def _variable(kind: type[EnvironmentSettings], name: str) -> str:
    alias = kind.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        alias = str(alias.choices[0])
    return alias if isinstance(alias, str) else f"{kind.model_config['env_prefix']}{name}".upper()
