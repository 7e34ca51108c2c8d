"""A typed client, generated from the description as a user of the API would, works against the served API."""

import importlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.domain.alert import AlertState
from services.access.roles import Role
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.records.session import now
from tests.services.access.people import token_for
from tests.services.api.conftest import Document, Serve
from tests.services.api.filling import Filled, fill
from tests.services.api.test_openapi import operations
from tests.services.conftest import MakeBundle
from tests.services.making import inspection, record

CONFIG = """
post_hooks: []
content_type_overrides:
  image/png: application/octet-stream
  text/event-stream: text/plain
  application/geo+json: text/plain
  application/x-ndjson: text/plain
"""


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
    yield importlib.import_module("waferwatch_client")
    sys.path.remove(str(folder))
    for name in [one for one in sys.modules if one.split(".")[0] == "waferwatch_client"]:
        del sys.modules[name]


def api(group: str, name: str) -> Any:
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


@pytest.fixture
def filled(serve: Serve, make_bundle: MakeBundle, tmp_path: Path) -> Filled:
    return fill(serve, make_bundle, tmp_path, host="0.0.0.0")


def test_the_generated_client_reads_everything_there_is(
    client_module: ModuleType,
    filled: Filled,
    document: Document,
) -> None:
    secret = token_for(filled.service.database, Role.ADMIN)
    client = client_module.AuthenticatedClient(base_url=filled.service.url, token=secret)
    there: dict[str, Any] = {
        "alert_id": 1, "inspection_id": filled.inspection_id, "job_id": filled.queued, "number": 1, "n": 0,
    }  # fmt: skip
    needed = {"defects_nearest": {"x": 0.5, "y": 0.5}, "thresholds_effect": {"budget": 0.01}}
    read = 0
    for name, operation in operations(document):
        method, path = name.split(" ")
        content = operation["responses"].get("200", {}).get("content", {})
        if method != "GET" or list(content) != ["application/json"]:
            continue
        parts = [there[part] for part in re.findall(r"\{(\w+)\}", path)]
        tag, function = operation["tags"][0], operation["operationId"].removeprefix(f"{operation['tags'][0]}_")
        answer = api(tag, function).sync_detailed(*parts, client=client, **needed.get(operation["operationId"], {}))
        assert answer.status_code == 200, f"{name}: {answer.content[:300]!r}"
        assert answer.parsed is not None, name
        read += 1
    assert read > 25
    client.get_httpx_client().close()


def test_the_generated_client_does_what_people_do(client_module: ModuleType, filled: Filled) -> None:
    """Silence, name, hurry, retry, promote, change thresholds: each by its function and types, and each only once."""
    database = filled.service.database
    client = client_module.AuthenticatedClient(
        base_url=filled.service.url, token=token_for(database, Role.ENGINEER), raise_on_unexpected_status=True
    )
    from waferwatch_client import models

    wish = models.SilenceWish(reason="new chuck", until=datetime.now(UTC) + timedelta(hours=1), tool="T9")
    made, again = (api("alerts", "add").sync(client=client, body=wish, idempotency_key="silence-1") for _ in range(2))
    assert made.id == again.id, "the second is a repeat of the first"
    assert api("alerts", "end").sync(made.id, client=client).ended_by

    (group,) = api("unknown", "clusters").sync(client=client).items
    comet = models.ClusterNaming("comet")
    assert api("unknown", "name_cluster").sync(group.id, client=client, body=comet).captures == 2
    naming = models.Naming([filled.inspection_id], "ring", note="clear")
    assert api("labels", "name_captures").sync(client=client, body=naming).captures == 1
    assert {one.label for one in api("labels", "newest_words").sync(client=client).items} == {"comet", "ring"}

    hurry = models.Hurry(models.Priority.HELD)
    assert api("jobs", "change_priority").sync(filled.queued, client=client, body=hurry).priority == 0
    assert api("quarantine", "try_again").sync(filled.quarantined, client=client).state == "queued"
    assert api("jobs", "give_up").sync(filled.quarantined, client=client).state == "cancelled"
    counted = api("jobs", "inspect_again").sync(client=client, body=models.Reinspection("folder", dry_run=True))
    assert (counted.files, counted.more) == (0, False), "that bundle judged all of them"

    refused = api("models", "promote").sync_detailed("3", client=client, body=models.Promotion("2"))
    assert (refused.status_code, refused.parsed.code) == (422, "note-missing")
    assert api("models", "promote").sync("1", client=client, body=models.Promotion("2")).aliases == ["champion"]

    held = api("thresholds", "thresholds").sync(client=client)
    order = models.ThresholdChange("fewer strangers", held.bundle.digest, novelty=0.25)
    assert api("thresholds", "put_into_force").sync(client=client, body=order).now.thresholds.novelty == 0.25
    assert api("alerts", "tried").sync(client=client, body=models.RulesTrial(days=1.0))

    known = api("alerts", "alert").sync_detailed(1, client=client)
    same = api("alerts", "alert").sync_detailed(1, client=client, if_none_match=known.headers["etag"])
    assert (same.status_code, same.content) == (304, b"")
    client.get_httpx_client().close()
