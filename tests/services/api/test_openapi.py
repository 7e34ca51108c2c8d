"""The description for programs: complete and true."""

import json
from collections.abc import Iterator
from typing import Any

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.services.api.conftest import Document, Serve

METHODS = ("get", "post", "put", "patch", "delete")


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def test_it_is_a_valid_document(document: Document) -> None:
    validate(document)  # type: ignore[arg-type]
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids)) > 35


def test_each_operation_says_what_it_does_and_who_may(document: Document) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"].strip(), name
        if name != "GET /healthz":
            assert "Needs the role" in operation["description"], name
            assert operation["security"], name


def test_each_body_and_answer_has_an_example_that_fits_its_schema(document: Document) -> None:
    registry: Registry[Any] = Registry().with_resource("", Resource(contents=document, specification=DRAFT202012))
    shown = 0
    for name, operation in operations(document):
        bodies = list(operation.get("requestBody", {}).get("content", {}).items())
        for code, answer in operation["responses"].items():
            if code != "304":
                assert answer.get("content"), f"{name} {code} says nothing of its body"
            bodies += answer.get("content", {}).items()
        for media_type, content in bodies:
            if not media_type.endswith(("/json", "+json")) or "geo" in media_type or "nd" in media_type:
                continue
            shown += 1
            assert "example" in content, f"{name} {media_type}"
            schema = content["schema"] | {"components": document["components"]}
            problems = list(OAS31Validator(schema, registry=registry).iter_errors(content["example"]))
            assert problems == [], f"{name}: {content['example']}"
        for parameter in operation.get("parameters", ()):
            assert "example" in parameter, f"{name} {parameter['name']}"
    assert shown > 200


def test_each_error_is_a_problem(document: Document) -> None:
    for name, operation in operations(document):
        for code, answer in operation["responses"].items():
            if code.startswith(("4", "5")):
                assert list(answer["content"]) == ["application/problem+json"], f"{name} {code}"
    assert "HTTPValidationError" not in json.dumps(document)


def test_each_list_is_paged(document: Document) -> None:
    unpaged = {
        "GET /api/v1/routing/counts",  # one line for each bundle, of a span of time that the caller names
        "GET /api/v1/shadow/counts",
        "GET /api/v1/alerts/{alert_id}/commonality",  # a handful of findings
        "POST /api/v1/rules/test",  # what a trial found
    }
    for name, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        if content.get("schema", {}).get("type") == "array":
            assert name in unpaged, f"{name} should answer a Listing"
        if "Listing" in content.get("schema", {}).get("$ref", ""):
            assert {"limit", "cursor"} <= {parameter["name"] for parameter in operation["parameters"]}, name


def test_numbers_are_numbers(serve: Serve, document: Document) -> None:
    """`true` is no number, and `"1"` is none either, wherever a body has one."""
    service, tried = serve(), 0
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema = content["schema"]
        schema = next((one for one in schema.get("anyOf", [schema]) if "$ref" in one), schema)
        fields = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["properties"]
        for field, described in fields.items():
            kinds = {one.get("type") for one in described.get("anyOf", [described])}
            if not kinds & {"integer", "number"}:
                continue
            for wrong in (True, "1"):
                method, path = name.split(" ")
                body = content["example"] | {field: wrong}
                answer = service.client.request(method, path.replace("{alert_id}", "1"), json=body)
                tried += 1
                assert answer.status_code == 422, f"{name} {field}={wrong!r}: {answer.status_code}"
    assert tried >= 4


def test_the_page_for_people_shows_all_of_it(serve: Serve, document: Document) -> None:
    page = serve().client.get("/api", headers={"Accept": "text/html"}).text
    for name, _ in operations(document):
        assert name.split(" ")[1] in page, name
