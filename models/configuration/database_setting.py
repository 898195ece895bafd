"""The type of the setting DATABASE_URL.

In a module of its own, because it needs libpq.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from models.configuration.setting_forms import Form
from models.configuration.setting_types import split_address, split_any_host

_CLOSED_OPTIONS: Final = {
    "sslmode": ("prefer", "disable", "allow", "require", "verify-ca", "verify-full"),
    "channel_binding": ("prefer", "disable", "require"),
    "gssencmode": ("prefer", "disable", "require"),
    "target_session_attrs": (
        "any",
        "read-write",
        "read-only",
        "primary",
        "standby",
        "prefer-standby",
    ),
}
"""Valid values of libpq options, which libpq itself checks only on connecting."""


def _check(given: SecretStr) -> SecretStr:
    """Validate a database URL, and normalize its scheme for libpq."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    text = given.get_secret_value().strip()
    parts = split_any_host(text, ("postgresql", "postgres", "postgresql+psycopg"))
    for host in parts.netloc.rpartition("@")[2].split(","):  # libpq allows several
        split_address(f"postgresql://{host}", ("postgresql",))
    plain = "postgresql://" + text.partition("://")[2]
    try:
        known = conninfo_to_dict(plain)
    except ProgrammingError:
        # libpq's message contains the value
        raise ValueError("libpq does not understand it") from None
    for option, values in _CLOSED_OPTIONS.items():
        if str(known.get(option, values[0])) not in values:
            raise ValueError(f"{option} has no such value")
    # An unescaped @, / or # in the password would end up in the path or after it.
    if not known.get("host") or set("/@#") & set(parts.path[1:]) or parts.fragment:
        raise ValueError("no host, or a character that must be written as %XX")
    return SecretStr(plain)


DatabaseUrl = Annotated[
    SecretStr,
    AfterValidator(_check),
    Form(
        "postgresql://user:password@host:port/name, with special characters of the password as %XX"
    ),
]
