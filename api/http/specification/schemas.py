"""Schemas in the specification: what readers and generators of clients need beyond pydantic."""

from typing import Any, Final

from pydantic import BaseModel

from api.schemas.base import SHOWN

Document = dict[str, Any]

_PREFIX: Final = "#/components/schemas/"


def schemas_of(model: type[BaseModel]) -> Document:
    """Return the schema of a model, and those that it refers to, by name."""
    schema = model.model_json_schema(ref_template=_PREFIX + "{model}")
    nested = schema.pop("$defs", {})
    return {**nested, model.__name__: schema}


def complete_schemas(schemas: Document) -> None:
    """Remove titles and the defaults of fields, and add the examples that are missing.

    Titles repeat names. Some generators make a field with a default required, or send the default:
    then the same request would be another one to an Idempotency-Key once the default changes. The
    description of the field says its default.
    """
    for schema in schemas.values():
        schema.pop("title", None)
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
            field.pop("default", None)
    for name, schema in schemas.items():
        if SHOWN in schema:
            schema["examples"] = [example_of(schema, schemas)]
        if name.endswith("Webhook"):
            continue  # each would repeat the object that it is about
        for field in schema.get("properties", {}).values():
            if not field.get("examples"):
                field["examples"] = [example_of(field, schemas)]
    for schema in schemas.values():
        schema.pop(SHOWN, None)


def example_of(schema: Document, schemas: Document) -> Any:
    """Return an example of a schema, made of the examples of its parts."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(_PREFIX)], schemas)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return example_of(schema[choice][0], schemas)
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    fields: Document = schema.get("properties", {})
    shown: Any = schema.get(SHOWN, fields)
    return {name: example_of(field, schemas) for name, field in fields.items() if name in shown}
