"""Whatever stands in an address or a form, a page answers in words: nothing typed by hand is a crash."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from fastapi.routing import iter_route_contexts

from services.api.watching import STREAMS
from tests.services.api.conftest import Serve, serve  # noqa: F401 - fixture
from tests.services.api.filling import fill
from tests.services.api.test_access import app  # noqa: F401 - fixture
from tests.services.conftest import MakeBundle

pytestmark = pytest.mark.slow
NASTY = (
    "", " ", "\0", "-1", "0", "1", "9" * 40, "1e400", "nan", "é\u202e𝒳", "..", "' OR 1=1 --", "<b>{{7*7}}</b>",
    "2026-02-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59", "bm90IGEgY3Vyc29y", "%00", "x" * 3000,
)  # fmt: skip


def taking(app: FastAPI, method: str) -> Iterator[tuple[str, list[str]]]:  # noqa: F811
    """(path, names of what it takes besides) of every page."""
    for one in iter_route_contexts(app.routes):
        if one.path is None or one.endpoint is None or method not in (one.methods or ()):
            continue
        if not one.path.startswith("/api/") and one.path not in STREAMS:
            yield one.path, sorted(_names(get_dependant(path=one.path, call=one.endpoint), method))


def _names(of: Dependant, method: str) -> set[str]:
    own = {part.alias for part in (of.query_params if method == "GET" else of.body_params)}
    return own.union(*(_names(one, method) for one in of.dependencies))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_page_crashes(
    serve: Serve,  # noqa: F811
    make_bundle: MakeBundle,
    tmp_path: Path,
    app: FastAPI,  # noqa: F811
    method: str,
) -> None:
    filled = fill(serve, make_bundle, tmp_path)
    known = {"alert_id": "1", "inspection_id": filled.inspection_id, "job_id": str(filled.queued), "number": "2"}
    crashed, tried = dict[str, str](), 0
    for path, names in taking(app, method):
        places = re.findall(r"\{(\w+)\}", path)
        for nasty in NASTY:
            there = path.format(**{name: known.get(name, "1") for name in places})
            nowhere = re.sub(r"\{\w+\}", quote(nasty, safe=""), path)
            for target, given in ((there, names), (nowhere, [])):
                if given or target != there:
                    answer = _asked(filled.service.client, method, target, dict.fromkeys(given, nasty))
                    tried += 1
                    if answer.status_code >= 500:
                        crashed[f"{target[:60]} {nasty[:20]!r}"] = f"{answer.status_code} {answer.text[-300:]}"
    assert tried > 300
    assert crashed == {}


def _asked(client: httpx.Client, method: str, path: str, given: dict[str, str]) -> httpx.Response:
    html = {"Accept": "text/html"}
    return (
        client.get(path, params=given, headers=html) if method == "GET" else client.post(path, data=given, headers=html)
    )
