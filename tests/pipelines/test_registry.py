"""Proposing, looking at versions, promoting and going back, on a real MLflow."""

from pathlib import Path

import pytest

from models.domain.errors import InputError, RetryableError
from pipelines import registry
from pipelines.release import release
from pipelines.training.train import Trained
from tests.pipelines.test_release import worse

NAME = "small"


def test_nothing_registered_is_no_version(mlflow_uri: str) -> None:
    assert registry.versions(NAME, mlflow_uri) == ()


def test_a_proposed_bundle_waits_for_a_person(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    release(trained.directory, mlflow_uri)
    proposed = release(worse(trained, tmp_path / "worse"), mlflow_uri, propose=True)
    assert (proposed.alias, proposed.gate.passed) == ("challenger", False)
    second, first = registry.versions(NAME, mlflow_uri)
    assert (first.aliases, second.aliases) == (("champion",), ("challenger",))
    assert (second.gate, second.against) == ("refused", "1")
    assert any("false alarms" in reason for reason in second.reasons)
    assert second.against_figures["test.macro_f1"] == pytest.approx(first.figures["test.macro_f1"])
    registry.promote(NAME, "2", mlflow_uri, alias="champion", seen="1")
    second, first = registry.versions(NAME, mlflow_uri)
    assert (first.aliases, second.aliases) == (("previous",), ("champion",))
    with pytest.raises(InputError, match="meanwhile"):
        registry.promote(NAME, "1", mlflow_uri, alias="champion", seen="1")
    registry.promote(NAME, "1", mlflow_uri, alias="champion", seen="2")
    second, first = registry.versions(NAME, mlflow_uri)
    assert (first.aliases, second.aliases) == (("champion",), ("previous",))
    with pytest.raises(InputError, match="no such version"):
        registry.promote(NAME, "7", mlflow_uri, alias="champion", seen="1")


def test_a_version_is_opened(trained: Trained, mlflow_uri: str) -> None:
    release(trained.directory, mlflow_uri)
    found = registry.opened(NAME, "1", mlflow_uri)
    assert found.manifest.ref.digest == trained.ref.digest
    assert found.card == (trained.directory / "card.md").read_text()


def test_the_champion_is_measured_on_the_challengers_data(trained: Trained, mlflow_uri: str) -> None:
    release(trained.directory, mlflow_uri)
    measured: list[Path] = []

    def never(folder: Path) -> dict[str, float]:
        measured.append(folder)
        return {}

    release(trained.directory, mlflow_uri, propose=True, remeasure=never)
    assert measured == [], "on the same data the figures it has are the right ones"


def test_a_dead_registry_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        registry.versions(NAME, "http://127.0.0.1:1")
