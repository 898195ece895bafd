"""Short requests to servers on this machine, without proxies."""

import http.client
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def status_of(url: str, headers: Mapping[str, str] = NO_HEADERS, within: float = 2) -> int | None:
    """Return the status of a GET; None if there is no response."""
    address = urlsplit(url)
    path = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
    connection = http.client.HTTPConnection(address.netloc, timeout=within)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
