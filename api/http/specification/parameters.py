"""Parameters in the specification: never null, and written once if operations share them."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic.alias_generators import to_pascal

Document = dict[str, Any]

_NULL: Document = {"type": "null"}


def complete_parameters(operations: Sequence[Document]) -> Document:
    """Correct the parameters of operations; return those that they share, by name.

    An operation then refers to a shared one.
    """
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for operation in operations:
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _schema(parameter["schema"])
            counted[_name(parameter)][json.dumps(parameter)] += 1
    shared: Document = {}
    for name, written in sorted(counted.items()):
        commonest, times = written.most_common(1)[0]
        if times > 1:
            shared[name] = json.loads(commonest)
    for operation in operations:
        if "parameters" in operation:
            operation["parameters"] = [_refer(each, shared) for each in operation["parameters"]]
    return shared


def _schema(given: Document) -> Document:
    """Return the schema of a parameter without what FastAPI adds.

    A parameter that is not sent is absent; none is null. Its description is that of the parameter.
    """
    rest = {
        name: value
        for name, value in given.items()
        if name not in ("anyOf", "title", "description")
    }
    kinds = [kind for kind in given.get("anyOf", ()) if kind != _NULL]
    match kinds:
        case []:
            return rest
        case [kind]:
            return {**kind, **rest}
        case _:
            return {"anyOf": kinds, **rest}


def _name(parameter: Document) -> str:
    """Return the name of a shared parameter, such as MerchantIdQuery."""
    words = parameter["name"].replace("-", "_")
    name = to_pascal(words) if "_" in words else words[0].upper() + words[1:]
    return f"{name}{parameter['in'].capitalize()}"


def _refer(parameter: Document, shared: Document) -> Document:
    name = _name(parameter)
    return (
        {"$ref": f"#/components/parameters/{name}"} if shared.get(name) == parameter else parameter
    )
