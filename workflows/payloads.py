"""How what workflows are given and return becomes JSON, and back. Not workflow code."""

from typing import Final

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_SHARED: Final = tuple(PydanticPayloadConverter().converters.values())


class _SharedPayloadConverter(CompositePayloadConverter):
    """Pydantic's converter, with one store of type adapters for the whole process.

    The SDK makes a converter for every workflow and every step of it. With a store of its own each
    would build the schema of every type anew, which takes longer than to read a payload by it.
    """

    def __init__(self) -> None:
        super().__init__(*_SHARED)


data_converter: Final = DataConverter(payload_converter_class=_SharedPayloadConverter)
"""For whoever talks to Temporal; what it writes is what `pydantic_data_converter` writes."""
