"""Writing JSON whose amounts are exact: a Decimal becomes the number it is, digit by digit."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from api.schemas.base import View


class ExactJson(Response):
    """An answer with amounts; written without ever passing through a binary fraction."""

    media_type = "application/json"

    def render(self, content: View) -> bytes:
        """Write a view in the names of the contract; fields that were not given stay out."""
        document = content.model_dump(mode="python", by_alias=True, exclude_unset=True)
        return write(document).encode()


def write(document: Any) -> str:
    """Write a document; decimals keep their digits (0.10 stays 0.10), days are ISO 8601."""
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
