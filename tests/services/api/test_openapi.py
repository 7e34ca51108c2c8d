"""The description for programs: complete, true, and enough to generate a typed client from."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from models.domain.alert import AlertState
from services.access.roles import Role
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.records.session import now
from tests.services.access.people import token_for
from tests.services.api.conftest import Serve
from tests.services.making import inspection, record

Document = dict[str, Any]
CONFIG = """
post_hooks: []
content_type_overrides:
  image/png: application/octet-stream
  text/event-stream: text/plain
  application/geo+json: text/plain
  application/x-ndjson: text/plain
"""
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Document:
    from prometheus_client import CollectorRegistry

    from services.api.app import create_app
    from services.records.session import Database
    from services.settings import Settings
    from services.telemetry.metrics import Metrics
    from tests.services.api.conftest import FakeIntake, opened

    settings = Settings(home=tmp_path_factory.mktemp("home"))
    database = Database(settings.database_url)
    metrics = Metrics(CollectorRegistry())
    app = create_app(settings, database, accept=FakeIntake(database), opener=opened, metrics=metrics)
    database.close()
    return dict(json.loads(json.dumps(app.openapi())))


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


@pytest.fixture(scope="module")
def client_module(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A typed client, generated from the document as a user of the API would: it is not kept in the repository."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text(CONFIG)
    generate = (
        "openapi-python-client", "generate", "--path", "openapi.json", "--config", "config.yaml", "--meta", "none",
        "--output-path", "waferwatch_client", "--fail-on-warning",
    )  # fmt: skip
    tidy = ("ruff", "format", "--isolated", "waferwatch_client")  # it writes `1and`, which newer Pythons warn of
    for tool, *arguments in (generate, tidy):
        command = [str(Path(sys.executable).with_name(tool)), *arguments]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    import importlib

    yield importlib.import_module("waferwatch_client")
    sys.path.remove(str(folder))
    for name in [one for one in sys.modules if one.split(".")[0] == "waferwatch_client"]:
        del sys.modules[name]


def api(group: str, name: str) -> Any:
    import importlib

    return importlib.import_module(f"waferwatch_client.api.{group}.{group}_{name}")


def test_the_generated_client_works_against_the_served_api(client_module: ModuleType, serve: Serve) -> None:
    """Upload, wait, look, acknowledge, and be told of a conflict: all through generated functions and types."""
    service = serve(host="0.0.0.0")
    client = client_module.AuthenticatedClient(base_url=service.url, token=token_for(service.database, Role.OPERATOR))
    from waferwatch_client import models, types

    found = inspection()
    record(service.database, found, content="wafer")
    with service.database.write() as session:
        raise_alerts(session, evaluate(found), at=now(session))

    import io

    file = types.File(payload=io.BytesIO(b"wafer"), file_name="wafer.001")
    body = models.BodyCapturesUpload(file=file)
    taken = api("captures", "upload").sync(client=client, body=body, wait=5.0)
    assert isinstance(taken, models.UploadAnswer)
    (judged,) = taken.inspections
    assert (judged.label, judged.capture.lot, judged.job) == ("Scratch", "LOT7", taken.job.id)

    page = api("inspections", "inspections").sync(client=client, lot="LOT7", limit=1)
    assert [one.id for one in page.items] == [judged.id]
    assert api("inspections", "inspection").sync(judged.id, client=client).id == judged.id
    missing = api("inspections", "inspection").sync_detailed("nothing", client=client)
    assert missing.status_code == 404
    assert isinstance(missing.parsed, models.Problem)
    assert missing.parsed.code == "not-found"

    (alert,) = api("alerts", "alerts").sync(client=client).items
    change = models.AlertChange(version=alert.version, note="on it")
    done = api("alerts", "decide").sync(alert.id, models.Decision.ACKNOWLEDGE, client=client, body=change)
    assert done.state == AlertState.ACKNOWLEDGED.value
    stale = api("alerts", "decide").sync_detailed(alert.id, models.Decision.RESOLVE, client=client, body=change)
    assert (stale.status_code, stale.parsed.code) == (409, "stale-alert")
    client.get_httpx_client().close()


def test_without_a_token_the_generated_client_is_told_so(client_module: ModuleType, serve: Serve) -> None:
    service = serve(host="0.0.0.0")
    client = client_module.Client(base_url=service.url)
    answer = api("alerts", "alerts").sync_detailed(client=client)
    assert (answer.status_code, answer.parsed.code) == (401, "unauthorized")
    client.get_httpx_client().close()


def test_the_page_for_people_shows_all_of_it(serve: Serve, document: Document) -> None:
    page = serve().client.get("/api", headers={"Accept": "text/html"}).text
    for name, _ in operations(document):
        assert name.split(" ")[1] in page, name
