"""Error responses in the specification: each lists the codes that its operation may answer.

Responses of up to three codes are components, named after their codes, with a schema of the same
name. So clients have one type per error, and the document does not repeat them.
"""

from collections.abc import Iterable
from typing import Any, Final

from api.http.problem_response import MEDIA_TYPE
from api.schemas.problems import Problem

Document = dict[str, Any]

_MOST_IN_A_NAME: Final = 3


def complete_error_responses(operations: Iterable[Document], components: Document) -> None:
    """Name the codes of every error response, and move what operations share to the components."""
    for operation in operations:
        responses = operation["responses"]
        for status, response in responses.items():
            problem = response.get("content", {}).get(MEDIA_TYPE)
            if problem is not None:
                _refer_to_examples(problem, components["examples"])
                responses[status] = _shared(response, components)
        operation["responses"] = dict(sorted(responses.items()))
    for part in ("examples", "responses", "schemas"):
        components[part] = dict(sorted(components[part].items()))


def _refer_to_examples(problem: Document, shared: Document) -> None:
    for code, example in problem["examples"].items():
        known = shared.setdefault(code, example)
        assert known == example, f"{code} has two examples"
        problem["examples"][code] = {"$ref": f"#/components/examples/{code}"}


def _shared(response: Document, components: Document) -> Document:
    """Return a reference to the response, or the response itself if its name would be too long."""
    problem = response["content"][MEDIA_TYPE]
    codes = sorted(problem["examples"])
    schema = _schema(codes)
    if len(codes) > _MOST_IN_A_NAME:
        problem["schema"] = schema
        return response
    name = "Or".join("".join(map(str.capitalize, code.split("_"))) for code in codes)
    problem["schema"] = {"$ref": f"#/components/schemas/{name}"}
    known = components["schemas"].setdefault(name, schema)
    assert known == schema, f"{name} is the name of another schema"
    components["responses"].setdefault(name, response)
    return {"$ref": f"#/components/responses/{name}"}


def _schema(codes: list[str]) -> Document:
    """Return the schema of a problem with one of these codes."""
    code = Problem.model_fields["code"]
    return {
        "description": f"A problem with the code {' or '.join(codes)}.",
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {
            "code": {
                "description": code.description,
                "type": "string",
                "enum": codes,
                "examples": codes[:1],
            }
        },
    }
