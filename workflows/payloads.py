"""Data converter for workflow payloads. Not workflow code."""

from typing import Final

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_SHARED: Final = tuple(PydanticPayloadConverter().converters.values())


class _SharedPayloadConverter(CompositePayloadConverter):
    """Pydantic's converter with one cache of type adapters for the whole process.

    The SDK creates a converter for every workflow and activity. With a cache of its own each would
    build the schema of every type again, which takes longer than reading a payload.
    """

    def __init__(self) -> None:
        super().__init__(*_SHARED)


data_converter: Final = DataConverter(payload_converter_class=_SharedPayloadConverter)
"""For every Temporal client; writes the same as `pydantic_data_converter`."""
