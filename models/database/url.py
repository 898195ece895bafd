"""Converts a database URL from libpq's form to SQLAlchemy's."""

import re
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

_SCHEME: Final = "postgresql+psycopg"

_LIBPQ: Final = re.compile(
    r"postgres(?:ql)?(?:\+psycopg)?://(?:(?P<user>[^/?]*)@)?(?P<hosts>[^/?]*)"
    r"(?:/(?P<name>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)

_HOST: Final = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(?::(?P<port>\d*))?")

_DEFAULT_PORT: Final = "5432"


def sqlalchemy_url(url: str) -> str:
    """Return the URL for SQLAlchemy's psycopg driver.

    Of several hosts (`postgresql://user:password@a:5432,b:5432/name`) the first one that accepts
    writes is used, unless the URL sets `target_session_attrs`.
    """
    parts = _LIBPQ.fullmatch(url)
    if parts is None:
        return url
    if "," in parts["hosts"]:
        return _of_several(parts)
    return f"{_SCHEME}{url[url.index('://') :]}"


def _of_several(parts: re.Match[str]) -> str:
    hosts = [_HOST.fullmatch(host) for host in parts["hosts"].split(",")]
    query = dict(parse_qsl(parts["query"] or "", keep_blank_values=True))
    query.setdefault("target_session_attrs", "read-write")
    query["host"] = ",".join(host["name"].strip("[]") if host else "" for host in hosts)
    query["port"] = ",".join((host and host["port"]) or _DEFAULT_PORT for host in hosts)
    user = f"{parts['user']}@" if parts["user"] else ""
    return f"{_SCHEME}://{user}/{parts['name'] or ''}?{urlencode(query, quote_via=quote)}"
