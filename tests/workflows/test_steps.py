"""Steps are declared in `workflows.steps`; each has one implementation of the same type."""

import pkgutil
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from inspect import getmembers, isclass, isfunction
from typing import Any, get_type_hints

import pytest
from temporalio import activity

import activities
from tests.fakes import name_of
from workflows import steps


def _steps_in(room: object) -> list[Callable[..., Any]]:
    return [
        function
        for _, function in getmembers(room, isfunction)
        if activity._Definition.from_callable(function) is not None
    ]


def _bodies() -> dict[str, list[Callable[..., Any]]]:
    bodies = defaultdict(list)
    for found in pkgutil.walk_packages(activities.__path__, "activities."):
        module = import_module(found.name)
        rooms = [kind for _, kind in getmembers(module, isclass) if kind.__module__ == found.name]
        for room in (module, *rooms):
            for body in _steps_in(room):
                bodies[name_of(body)].append(body)
    return bodies


DECLARED = {name_of(step): step for step in _steps_in(steps)}


@pytest.mark.parametrize("name", DECLARED)
def test_each_declared_step_has_one_body_of_the_same_type(name: str) -> None:
    (body,) = _bodies()[name]
    assert get_type_hints(body) == get_type_hints(DECLARED[name])


def test_every_implementation_is_declared() -> None:
    assert set(_bodies()) == set(DECLARED)


@pytest.mark.parametrize("name", DECLARED)
def test_a_step_goes_by_the_name_of_its_function(name: str) -> None:
    assert DECLARED[name].__name__ == name
