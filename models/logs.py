"""Structured logs of every process: one JSON object per line, without message contents.

Phone numbers, addresses, bodies and secrets are never logged. Exceptions therefore show their types
and where they were raised, not their messages: a database driver quotes values in those.
"""

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
message_id: ContextVar[int | None] = ContextVar("message_id", default=None)
workflow_id: ContextVar[str | None] = ContextVar("workflow_id", default=None)

_CONTEXT: dict[str, ContextVar[Any]] = {
    "request_id": request_id,
    "message_id": message_id,
    "workflow_id": workflow_id,
}
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


class Formatter(JsonFormatter):
    """One JSON line per event, with the ids of the current request, message and workflow."""

    def __init__(self) -> None:
        super().__init__(reserved_attrs=[*RESERVED_ATTRS, "color_message"])

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """Write time, level and event first, then the ids, then the event's own fields."""
        log_data["at"] = datetime.fromtimestamp(record.created, UTC).isoformat(
            timespec="milliseconds"
        )
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        for name, variable in _CONTEXT.items():
            if (value := variable.get()) is not None:
                log_data[name] = value
        super().add_fields(log_data, record, message_dict)

    def formatException(self, ei: Any) -> str:
        """Return types and locations of an exception and its causes, without their messages."""
        lines: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None:
            lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
            lines += [
                f"  {frame.filename}:{frame.lineno} in {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def configure_logging(level: str) -> None:
    """Send all logs, including uvicorn's, to stderr as JSON.

    uvicorn's access log is silenced: it prints raw queries, which may contain a contact. Pass
    uvicorn `log_config=None`, or it replaces this configuration.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = name != "uvicorn.access"
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
