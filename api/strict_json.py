"""Reading JSON as strictly as a ledger deserves: what is doubtful is refused, never repaired."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from starlette.requests import Request

from api.problems import field_name
from models.errors import MalformedJson, UnsupportedMediaType, ValidationFailed

DEEPEST = 32


class JsonRequest(Request):
    """A request whose body is read by the rules of this module; FastAPI asks it for `json()`."""

    async def json(self) -> Any:
        """Return the document, parsed once."""
        if not hasattr(self, "_json"):
            require_json(self.headers.get("content-type", ""))
            self._json = parse(await self.body())
        return self._json


def require_json(content_type: str) -> None:
    """Raise UnsupportedMediaType unless the body is declared as JSON in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    charsets = {p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset")}
    if not is_json or not charsets <= {"utf-8", "utf8"}:
        raise UnsupportedMediaType("Send Content-Type: application/json, in UTF-8.")


def parse(body: bytes) -> Any:
    """Return the document; numbers with a point become Decimal, so that none is rounded."""
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repetition,
        )
    except UnicodeDecodeError as error:
        raise MalformedJson("The body is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise MalformedJson("The body is nested too deeply.") from error
    except ValueError as error:  # more digits than Python reads
        raise MalformedJson("A number is too long.") from error
    _check(document)
    return document


def check_text(text: str, where: tuple[int | str, ...]) -> None:
    """Raise ValidationFailed for what no database column or answer can carry."""
    if "\x00" in text:
        reason = "must not contain NUL characters"
    elif any("\ud800" <= character <= "\udfff" for character in text):
        reason = "must not contain lone surrogates"
    else:
        return
    field = field_name(where) or "body"
    raise ValidationFailed(f"{field}: {reason}", ((field, reason),))


def _check(document: Any) -> None:
    """Walk the document without recursion: nobody's nesting may cost us a stack."""
    waiting: list[tuple[tuple[int | str, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > DEEPEST:
            raise MalformedJson(f"The body is nested more than {DEEPEST} levels deep.")
        if isinstance(value, str):
            check_text(value, path)
        elif isinstance(value, list):
            waiting += [((*path, index), item) for index, item in enumerate(value)]
        elif isinstance(value, dict):
            for name in value:
                check_text(name, path)
            waiting += [((*path, name), item) for name, item in value.items()]


def _refuse_constant(word: str) -> NoReturn:
    raise MalformedJson(f"{word} is not JSON.")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise MalformedJson("A name occurs twice in one object.")
    return document
