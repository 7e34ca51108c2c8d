"""Grafana dashboards can be imported anywhere, ask only for metrics we have, in queries that Prometheus can parse."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.test_prometheus import ROOT, exposed_names, promtool

FOLDER = ROOT / "infra" / "grafana" / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
EXPRESSIONS = [
    (name, panel["title"], target["expr"])
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel.get("targets", [])
] + [(name, one["name"], one["expr"]) for name, board in BOARDS.items() for one in board["annotations"]["list"]]


def filled_in(expression: str) -> str:
    """As Grafana sends it."""
    return expression.replace("$__rate_interval", "5m").replace("$__range", "6h")


def test_every_query_parses(tmp_path: Path) -> None:
    rules = [{"record": f"q{k}:x", "expr": filled_in(one)} for k, (_, _, one) in enumerate(EXPRESSIONS)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    result: subprocess.CompletedProcess[str] = promtool("check", "rules", str(path))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("board", "title", "expression"), EXPRESSIONS, ids=lambda part: str(part)[:24])
def test_every_query_asks_for_metrics_we_have(board: str, title: str, expression: str) -> None:
    assert not set(re.findall(r"\bwaferwatch_\w+", expression)) - exposed_names(), f"{board}: {title}"


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_board_belongs_to_no_installation(board: dict[str, Any]) -> None:
    text = json.dumps(board)
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {board["uid"], "${datasource}"}
    assert not re.search(r"\b(job|instance)\s*[=!]", " ".join(one for _, _, one in EXPRESSIONS))
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource"]
    assert board["refresh"]
    assert board["time"]["from"]


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_panels_say_what_they_show_and_do_not_overlap(board: dict[str, Any]) -> None:
    panels = board["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    for one in panels:
        assert one["title"]
        assert one["type"] == "row" or (one["description"] and one["fieldConfig"]["defaults"]["unit"])
        assert one["gridPos"]["x"] + one["gridPos"]["w"] <= 24
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        wide = min(one["x"] + one["w"], other["x"] + other["w"]) - max(one["x"], other["x"])
        high = min(one["y"] + one["h"], other["y"] + other["h"]) - max(one["y"], other["y"])
        assert wide <= 0 or high <= 0, f"{one} overlaps {other}"


def test_boards_have_names_of_their_own() -> None:
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 2
