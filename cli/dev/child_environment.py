"""Environment variables of the children of `hexavox dev`: each secret only where it is needed."""

from collections.abc import Mapping
from typing import Final

_SECRETS: Final[dict[str, tuple[str, ...]]] = {
    "HEXAVOX_SERVER_SECRET": ("api", "worker"),
    "HEXAVOX_CONTACT_KEY_FILE": ("api", "worker"),
    "HEXAVOX_WEBHOOK_KEY_FILE": ("api", "worker"),
    "HEXAVOX_SIMULATOR_SECRET": ("api", "worker", "simulator"),
    "HEXAVOX_SIMULATOR_TOKEN": ("simulator",),
    "HEXAVOX_TURN_SECRET": ("api",),
    # Unused by our processes: the integrator's key, exported by `source dev.env`, and the
    # registrar's.
    "HEXAVOX_API_KEY": (),
    "HEXAVOX_API_SECRET": (),
    "HEXAVOX_KAMAILIO_PASSWORD": (),
}
_SIMULATORS: Final = frozenset(
    f"HEXAVOX_{name}"
    for name in (
        *("PROFILE", "PUBLIC_URL", "LOG_LEVEL", "DATA_DIR"),
        *("SIMULATOR_URL", "SIMULATOR_HOST", "SIMULATOR_PORT", "SIMULATOR_DATA_DIR"),
        *("SIMULATOR_SECRET", "SIMULATOR_TOKEN"),
    )
)
"""The simulator's variables; `tests/cli/test_child_environment.py` compares them with its
settings.
"""
_PLAIN: Final = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV")
)
_PLAIN_PREFIXES: Final = ("LC_", "PYTHON", "LD_LIBRARY_", "DYLD_", "COVERAGE_")


def for_process(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of `hexavox <name>`."""
    if name == "simulator":
        theirs = {key: value for key, value in environ.items() if key in _SIMULATORS}
        return plain(environ) | theirs
    return {
        key: value for key, value in environ.items() if key not in _SECRETS or name in _SECRETS[key]
    }


def plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of other programs, such as an embedded server: without our secrets."""
    return {
        key: value
        for key, value in environ.items()
        if key in _PLAIN or key.startswith(_PLAIN_PREFIXES)
    }
