"""Payloads use pydantic's converter, and each type is analyzed once."""

from datetime import UTC, datetime

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import PayloadConverter

from workflows.messages.types import DispatchResult, DispatchStep, Verdict
from workflows.payloads import data_converter

VALUES = [
    DispatchStep(tenant_id=1, message_id=2),
    DispatchResult(verdict=Verdict.LATER, until=datetime(2026, 11, 27, 12, 30, 1, 500, UTC)),
    None,
]
HINTS = [DispatchStep, DispatchResult, type(None)]


def fresh() -> PayloadConverter:
    """Return a converter as the SDK creates one for each workflow."""
    return data_converter.payload_converter_class()


def test_what_is_written_is_what_pydantics_converter_writes() -> None:
    written = fresh().to_payloads(VALUES)
    assert written == pydantic_data_converter.payload_converter.to_payloads(VALUES)
    assert fresh().from_payloads(written, HINTS) == VALUES


def test_all_workflows_share_what_is_known_of_types() -> None:
    first, second = (fresh().converters for _ in range(2))  # type: ignore[attr-defined]
    assert first[b"json/plain"] is second[b"json/plain"]
