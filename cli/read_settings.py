"""Reads settings for a command, and warns of variables that have no effect."""

import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar

from models.configuration.environment_settings import EnvironmentSettings, nearest
from models.configuration.simulator_settings import SimulatorSettings
from models.configuration.temporal_settings import TemporalSettings
from models.settings import Settings

Kind = TypeVar("Kind", bound=EnvironmentSettings)

OTHERS: Final = frozenset(
    f"HEXAVOX_{name}"
    # Of `hexavox dev`, dev.env, `hexavox voice`, docker-compose.yml and tests.
    for name in (
        *("DATA_DIR", "TEMPORAL_PORT", "TEMPORAL_UI_PORT"),
        *("URL", "API_KEY", "API_SECRET", "TEMPORAL_UI_URL"),
        *("KAMAILIO_PASSWORD", "VERSION", "PRISM", "POSTFIX"),
    )
)
"""Variables of ours that other code reads."""


def read_settings(kind: type[Kind], **fixed: Any) -> Kind:
    """Read the environment except for the `fixed` fields. Raises BadSettings."""
    warn_of_typos()
    return kind.read(**fixed)


@cache  # once per process
def warn_of_typos() -> None:
    """Print a line for every unknown variable with our prefix."""
    for line in typos(os.environ):
        sys.stderr.write(f"hexavox: {line}\n")


def typos(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each unknown variable, with the most similar known one."""
    ours = {*OTHERS, *Settings.variables().values(), *SimulatorSettings.variables().values()}
    temporals = set(TemporalSettings.variables().values())
    for name in sorted(environ):
        upper = name.upper()
        if upper in ours | temporals:
            continue
        if upper.startswith("HEXAVOX_"):
            bare = upper.removeprefix("HEXAVOX_")
            meant = bare if bare in ours | temporals else nearest(upper, ours)
            yield f"{name} is unknown and has no effect" + _instead(meant)
        elif upper.startswith("TEMPORAL_") and (meant := nearest(upper, temporals)):
            yield f"{name} is perhaps misspelt" + _instead(meant)  # another program may use it


def _instead(meant: str | None) -> str:
    return f"; did you mean {meant}?" if meant else ""
