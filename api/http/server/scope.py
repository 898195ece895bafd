"""Builds the ASGI scope of a request."""

from typing import Any
from urllib.parse import unquote

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.http.server.connection import check_request, origin_form

Scope = dict[str, Any]


def scope_of(protocol: H11Protocol, request: h11.Request) -> Scope:
    """Return the scope of a request; raises BadRequest for an ambiguous one."""
    headers = list(request.headers)
    check_request(request.http_version, headers)
    raw_path, _, query = origin_form(request.method, request.target).partition(b"?")
    return {
        **connection_scope(protocol),
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "path": protocol.root_path + unquote(raw_path.decode("ascii")),
        "raw_path": protocol.root_path.encode("ascii") + raw_path,
        "query_string": query,
        "headers": headers,
    }


def connection_scope(protocol: H11Protocol) -> Scope:
    """Return the scope of input that is not a valid request."""
    return {
        "type": "http",
        "asgi": {"version": protocol.asgi_version, "spec_version": "2.3"},
        "http_version": "1.1",
        "server": protocol.server,
        "client": protocol.client,
        "scheme": protocol.scheme,
        "method": "-",
        "root_path": protocol.root_path,
        "path": "",
        "raw_path": b"",
        "query_string": b"",
        "headers": [],
        "state": protocol.app_state.copy(),
    }
