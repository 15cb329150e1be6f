"""The OpenAPI 3.1 description, made from the table of operations and the message types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from scoreboard import __version__
from scoreboard.api.operations import Operation
from scoreboard.api.problems import CONTENT_TYPE
from scoreboard.api.reference import TAGS, chapters
from scoreboard.api.samples import samples

_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457; `code` is a stable word, and further members depend on it.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "path": {"type": "string", "description": "the field at fault"},
        "userId": {"type": "string"},
        "actionId": {"type": "string"},
        "score": {"type": "integer", "description": "the total after the original action"},
        "agents": {"type": "array", "items": {"type": "string"}},
        "retryAfter": {"type": "number", "description": "seconds"},
        "opensAt": {"type": "string", "format": "date-time"},
    },
}


def describe(operations: Sequence[Operation]) -> bytes:
    """The description as JSON."""
    types = _types_in(operations)
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(
            operation, schema_of
        )
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Scoreboard",
                "version": __version__,
                "description": chapters(),
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "tags": [
                {"name": name, "description": about, "x-displayName": name.capitalize()}
                for name, about in TAGS.items()
            ],
            "paths": paths,
            "components": {
                "schemas": {**components, "Problem": _PROBLEM},
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
                },
            },
        }
    )


def _types_in(operations: Sequence[Operation]) -> list[Any]:
    found: dict[Any, None] = {}
    for operation in operations:
        if operation.body is not None:
            found[operation.body] = None
        for _, body in operation.answers.values():
            if body is not None and not isinstance(body, str):
                found[body] = None
    return list(found)


def _described(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            str(status): {"description": meaning, **_content(body, schema_of)}
            for status, (meaning, body) in operation.answers.items()
        },
    }
    if operation.parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.where,
                "required": parameter.required or parameter.where == "path",
                "schema": dict(parameter.schema),
                **({"description": parameter.description} if parameter.description else {}),
            }
            for parameter in operation.parameters
        ]
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": _example(operation, schema_of[operation.body])},
        }
    if operation.scopes:
        described["security"] = [{"bearer": [scope]} for scope in operation.scopes]
    if shown := samples(operation):
        described["x-codeSamples"] = shown
    return described


def _example(operation: Operation, schema: Any) -> dict[str, Any]:
    if operation.example is None:
        return {"schema": schema}
    return {"schema": schema, "example": operation.example}


def _content(body: Any, schema_of: dict[Any, Any]) -> dict[str, Any]:
    if body is None:
        return {}
    if body == "problem":
        schema: Any = {"$ref": "#/components/schemas/Problem"}
        return {"content": {CONTENT_TYPE: {"schema": schema}}}
    if isinstance(body, str):
        return {"content": {body: {"schema": {"type": "string"}}}}
    return {"content": {"application/json": {"schema": schema_of[body]}}}
