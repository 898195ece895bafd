"""Writes JSON with exact amounts: a Decimal is written with its digits, never as a float."""

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from api.schemas.base import View


class ExactJson(Response):
    """A response with amounts; no value passes through a binary float."""

    media_type = "application/json"

    def render(self, content: View | Sequence[View]) -> bytes:
        """Serialize a view, or a list of them, by alias; fields that are not set are omitted."""
        if isinstance(content, View):
            return write(_document(content)).encode()
        return write([_document(view) for view in content]).encode()


def _document(view: View) -> dict[str, Any]:
    return view.model_dump(mode="python", by_alias=True, exclude_unset=True)


def write(document: Any) -> str:
    """Serialize a document; decimals keep their digits (0.10 stays 0.10), days are ISO 8601."""
    match document:
        case dict():
            return "{" + ",".join(f"{json.dumps(n)}:{write(v)}" for n, v in document.items()) + "}"
        case list():
            return "[" + ",".join(map(write, document)) + "]"
        case Decimal():
            return f"{document:f}"
        case date():
            return json.dumps(document.isoformat())
        case _:
            return json.dumps(document, ensure_ascii=False)
