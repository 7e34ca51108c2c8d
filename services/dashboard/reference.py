"""The API described for people who write programs, drawn from its own OpenAPI document: it cannot be out of date."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.api.wiring import Wired
from services.dashboard.looks import page

routes = APIRouter(include_in_schema=False)
_BODIES = {"application/json": "JSON", "multipart/form-data": "form with a file"}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter: its name, where it goes, its type, and what it means."""

    name: str
    place: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing programs can ask for."""

    method: str
    path: str
    text: tuple[str, ...]
    fields: tuple[Field, ...]
    answers: tuple[tuple[str, str], ...]
    example: str


@routes.get("/api")
def reference(request: Request, wired: Wired) -> HTMLResponse:
    """All operations, grouped as the document groups them."""
    document = request.app.openapi()
    base = str(request.base_url).rstrip("/")
    groups: dict[str, list[Operation]] = {}
    for tag, operation in _operations(document, base, needs_login=wired.keys.needs_login):
        groups.setdefault(tag, []).append(operation)
    context = {"groups": groups, "version": document["info"]["version"], "needs_login": wired.keys.needs_login}
    return page(request, "reference.html", wired.pulse.beat(), context)


def _operations(document: dict[str, Any], base: str, *, needs_login: bool) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            fields = tuple(_field(one) for one in described.get("parameters", ()))
            body = next(iter(described.get("requestBody", {}).get("content", {})), None)
            if body is not None:
                fields = (*fields, Field("body", "body", _BODIES.get(body, body), ""))
            yield (
                described.get("tags", ["other"])[0],
                Operation(
                    method=method.upper(),
                    path=path,
                    text=tuple(" ".join(one.split()) for one in described.get("description", "").split("\n\n")),
                    fields=fields,
                    answers=tuple((code, one["description"]) for code, one in described["responses"].items()),
                    example=_example(method.upper(), base + path, body, needs_login=needs_login),
                ),
            )


def _field(described: dict[str, Any]) -> Field:
    schema = described.get("schema", {})
    options = [schema, *schema.get("anyOf", ())]
    kind = next((one["type"] for one in options if one.get("type") not in (None, "null")), "text")
    for one in options:
        if "enum" in one:
            kind = " | ".join(map(str, one["enum"]))
    return Field(described["name"], described["in"], kind, described.get("description", ""))


def _example(method: str, url: str, body: str | None, *, needs_login: bool) -> str:
    parts = ["curl"]
    if needs_login:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if body == "multipart/form-data":
        parts.append("-F file=@wafer.klarf")
    elif body is not None:
        parts.append("-H 'Content-Type: application/json' -d '{\"version\": 1}'")
    elif method != "GET":
        parts.append(f"-X {method}")
    shown = url.replace("{", "").replace("}", "") if "{" in url else url
    return " ".join([*parts, f"'{shown}'"])
