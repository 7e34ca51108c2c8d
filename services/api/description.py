"""The OpenAPI document, completed from what the code says already: needed roles, problems, binary answers, examples.

FastAPI describes shapes. What it cannot know is added here once for all operations, so that no route repeats it and
none forgets it: which role opens it, that every error is a problem (RFC 9457), what binary answers hold, keys for
repeats, ETags, ids of requests, and an example for each body and each answer, built from the examples of the fields.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.access.roles import Role
from services.api.guards import SAFE_METHODS
from services.api.idempotency import LONGEST_KEY
from services.api.needs import EVERYBODY, Doors
from services.api.problems import MEDIA_TYPE
from services.api.schemas import PREFIX

Schema = dict[str, Any]
_PROBLEM = {
    "type": "object",
    "description": "An error in parts (RFC 9457); empty parts are left out.",
    "required": ["type", "status", "code", "title", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "status": {"type": "integer", "examples": [404]},
        "code": {"type": "string", "description": "Stable name for programs.", "examples": ["not-found"]},
        "title": {"type": "string", "description": "What is wrong.", "examples": ["no such inspection"]},
        "detail": {"type": "string", "examples": ["no such inspection: 9f2c; see /api/v1/inspections"]},
        "where": {"type": "string", "examples": ["9f2c"]},
        "expected": {"type": "string", "examples": ["the id of an inspection"]},
        "got": {"type": "string", "examples": ["9f2c"]},
        "remedy": {"type": "string", "examples": ["see /api/v1/inspections"]},
        "retry_after_s": {"type": "integer", "description": "When to ask again, seconds.", "examples": [3]},
        "request_id": {
            "type": "string",
            "description": "The service's log has more under it; also in the header X-Request-ID.",
            "examples": ["4bf92f3577b34da6a3ce929d0e0e4736"],
        },
    },
}
_BINARY = {".png": "image/png", "/points": "application/octet-stream", "/klarf": "application/octet-stream"}
_TEXT = {
    "/metrics": "text/plain",
    "/events": "text/event-stream",
    "/audit": "application/x-ndjson",
    ".geojson": "application/geo+json",
}
_ALWAYS = {
    "401": "Nobody is logged in, or the token opens nothing (any more).",
    "403": "The role is missing, or the request came through a foreign page.",
    "429": "Too many requests; `Retry-After` says when to ask again.",
    "503": "The database, the disk or the queue cannot take it now; `Retry-After` says when to ask again.",
}
_OF_BODIES = {
    "400": "The body is not what its Content-Type says.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names this request: sent again with it, it gets the first answer and does nothing more.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "example": "4711-acknowledge",
}
_KNOWN = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer you have; 304 without a body says that it is still so.",
    "schema": {"type": "string"},
    "example": '"5f1c"',
}
_ETAG = {
    "description": "Of this very answer; see If-None-Match.",
    "schema": {"type": "string"},
    "example": '"5f1c"',
}
_STREAMED = ("/events", "/audit", "/klarf")
_REQUEST_ID = {
    "description": "Names the request: in the service's log, in its journal, in problems.",
    "schema": {"type": "string"},
    "example": "4bf92f3577b34da6a3ce929d0e0e4736",
}
_SAMPLES: dict[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True}
_FORMATS = {"date-time": "2026-03-01T12:00:00Z", "binary": "(the file)"}


def operation_id(route: APIRoute) -> str:
    """A short name for generated clients: 'alerts_decide'."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def describe(app: FastAPI) -> Schema:
    """The document of an app, made once."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = _PROBLEM
        for schema in schemas.values():
            for part in schema.get("properties", {}).values():
                if part.pop("contentMediaType", None) is not None:
                    part["format"] = "binary"  # the older word for a file, which generators of clients know
        document["components"]["headers"] = {"RequestId": _REQUEST_ID, "ETag": _ETAG}
        document["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "`waferwatch token create`, or your account."}
        }
        doors: Doors = app.state.doors
        for path, method, operation in _operations(document):
            _complete(operation, path, method, doors.needs_at(path, method), schemas)
            for answer in operation["responses"].values():
                answer.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/RequestId"}
        app.openapi_schema = document
    return app.openapi_schema


def _operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _complete(operation: Schema, path: str, method: str, needed: frozenset[Role], schemas: Schema) -> None:
    if needed != EVERYBODY:
        roles = " or ".join(sorted(needed))
        operation["description"] = f"{operation.get('description', '').strip()}\n\nNeeds the role {roles}."
        operation["security"] = [{"token": []}]
    if method not in SAFE_METHODS:
        _say_repeatable(operation)
    elif path.startswith(PREFIX) and not path.endswith(_STREAMED):
        _say_comparable(operation)
    for parameter in operation.get("parameters", ()):
        parameter.setdefault("example", example_of(parameter["schema"], schemas))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content.setdefault("example", example_of(content["schema"], schemas))
    answers = operation["responses"]
    further = (_ALWAYS if needed != EVERYBODY else {}) | (_OF_BODIES if "requestBody" in operation else {})
    for code, text in further.items():
        answers.setdefault(code, {"description": text})
    for code, answer in answers.items():
        if code.startswith("2"):
            _exemplify(answer, path, schemas)
        elif code != "304":
            answer["content"] = _problem(schemas, int(code))


def _say_repeatable(operation: Schema) -> None:
    """What `services.api.idempotency` does around every operation that changes something."""
    others = [one for one in operation.get("parameters", ()) if one["name"].lower() != "idempotency-key"]
    operation["parameters"] = [*others, dict(_KEY)]
    held = operation["responses"].setdefault("409", {"description": ""})
    held["description"] = f"{held['description']} The first request with this key is at work.".strip()
    operation["responses"].setdefault("422", {"description": "What was sent cannot be understood."})


def _say_comparable(operation: Schema) -> None:
    """What `services.api.unchanged` does around every answer that is read, and pictures do by themselves."""
    operation["parameters"] = [*operation.get("parameters", ()), dict(_KNOWN)]
    operation["responses"]["304"] = {"description": "It is as you know it."}
    operation["responses"]["200"].setdefault("headers", {})["ETag"] = {"$ref": "#/components/headers/ETag"}


def _problem(schemas: Schema, status: int) -> Schema:
    shown = example_of({"$ref": "#/components/schemas/Problem"}, schemas) | {"status": status}
    return {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": shown}}


def _exemplify(answer: Schema, path: str, schemas: Schema) -> None:
    for ending, media_type in (_BINARY | _TEXT).items():
        if path.endswith(ending):
            schema = {"type": "string", "format": "binary"} if ending in _BINARY else {"type": "string"}
            answer["content"] = {media_type: {"schema": schema}}
    if path.endswith("/map"):
        answer["content"] = {"application/json": {"schema": {"type": "object"}, "example": {"kind": "points"}}}
    for media_type, content in answer.get("content", {}).items():
        if media_type == "application/json":
            content.setdefault("example", example_of(content["schema"], schemas))


def example_of(schema: Schema, schemas: Schema) -> Any:
    """An instance of a schema, from the examples and defaults of its parts.

    Args:
        schema: JSON Schema as pydantic writes it.
        schemas: those it refers to, by name.
    """
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    told = [schema[word] for word in ("example", "const", "default") if schema.get(word) is not None]
    told += [*schema.get("examples", ()), *schema.get("enum", ())][:1]
    if told:
        return told[0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example_of(schema[several][0], schemas)
    return _sample_of(schema, schemas)


def _sample_of(schema: Schema, schemas: Schema) -> Any:
    match schema.get("type", "string"):
        case "object" if "properties" in schema:
            return {name: example_of(part, schemas) for name, part in schema["properties"].items()}
        case "object":
            names, values = schema.get("propertyNames", {"const": "Ring"}), schema.get("additionalProperties")
            return {example_of(names, schemas): example_of(values, schemas)} if isinstance(values, dict) else {}
        case "array":
            parts = schema.get("prefixItems") or [schema["items"]] * max(1, schema.get("minItems", 1))
            return [example_of(part, schemas) for part in parts]
        case "integer" | "number" as kind:
            return max(_SAMPLES[kind], schema.get("minimum", _SAMPLES[kind]))
        case kind:
            return _FORMATS.get(schema.get("format", ""), _SAMPLES.get(kind))
