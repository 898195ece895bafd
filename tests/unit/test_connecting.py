"""Registers search attributes, also on a server that others operate."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows.client import register_search_attributes
from workflows.names import SEARCH_ATTRIBUTES


@dataclass
class Operator:
    """A server's operator service that refuses the given calls."""

    known: tuple[str, ...] = ()
    refuses: dict[str, RPCStatusCode] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)

    async def list_search_attributes(self, _: Any) -> Any:
        self._refuse("list")
        return SimpleNamespace(custom_attributes=self.known)

    async def add_search_attributes(self, request: Any) -> None:
        self._refuse("add")
        self.added += request.search_attributes

    def _refuse(self, what: str) -> None:
        if what in self.refuses:
            raise RPCError("no", self.refuses[what], b"")


async def register(operator: Operator) -> None:
    client = SimpleNamespace(operator_service=operator, namespace="default")
    await register_search_attributes(cast(Client, client))


async def test_only_what_is_missing_is_made() -> None:
    first, *others = [key.name for key in SEARCH_ATTRIBUTES]
    operator = Operator(known=(first,))
    await register(operator)
    assert set(operator.added) == set(others)


@pytest.mark.parametrize("step", ["list", "add"])
@pytest.mark.parametrize("status", [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED])
async def test_a_server_that_does_not_let_us_is_warned_about(
    step: str, status: RPCStatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    await register(Operator(refuses={step: status}))
    assert "console" in caplog.text


async def test_a_server_out_of_reach_is_no_such_case() -> None:
    with pytest.raises(RPCError):
        await register(Operator(refuses={"list": RPCStatusCode.UNAVAILABLE}))
