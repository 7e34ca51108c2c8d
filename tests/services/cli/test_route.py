"""`waferwatch route …` as a user meets it."""

import json
from pathlib import Path

import pytest

from pipelines.simulate import simulate
from services.cli import main

ROUTING = """
routes: {champion: {alias: champion}, candidate: {alias: challenger}}
rules:
  - {name: all, route: champion, canary: {route: candidate, share: 1.0}, shadow: {route: candidate}}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path / "home"))
    path = tmp_path / "routing.yaml"
    path.write_text(ROUTING)
    return path


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in ("route", *arguments)])
    assert end.value.code == 0


@pytest.mark.parametrize("verb", ["show", "check", "apply", "explain", "history", "counts", "shadow", "schema"])
def test_every_verb_teaches(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(verb, "--help")
    assert len(capsys.readouterr().out.splitlines()) > 8


def test_a_routing_is_checked_applied_and_remembered(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("check", file)
    run("apply", file, "-m", "try version 8", "--actor", "Zoë")
    capsys.readouterr()
    run("history", "--json")
    (change,) = json.loads(capsys.readouterr().out)
    assert (change["number"], change["actor"], change["note"]) == (1, "Zoë", "try version 8")
    run("show")
    shown = capsys.readouterr().out
    assert "candidate: 100.0%" in shown
    run("show", "--json")
    assert json.loads(capsys.readouterr().out)["bundles"] == {"champion": None, "candidate": None}


def test_captures_are_sent_through_a_routing_to_see_where_they_go(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = simulate(tmp_path / "lot", 1, patterns=("Ring",), defects=(20, 50))
    run("explain", file, truth.files[0], "--json")
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["lane"] == {"rule": "all", "route": "candidate", "fallback": "champion", "shadow": None}


def test_nothing_judged_yet_is_no_error(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("counts", "shadow"):
        run(verb, "--json")
        assert json.loads(capsys.readouterr().out) == []
        run(verb)
        capsys.readouterr()


def test_a_wrong_file_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(ROUTING.replace("rules", "ruels"))
    with pytest.raises(SystemExit) as end:
        main(["route", "check", str(file)])
    assert end.value.code == 2
    assert "rules" in capsys.readouterr().err


def test_the_schema_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    run("schema")
    assert "rules" in json.loads(capsys.readouterr().out)["properties"]
