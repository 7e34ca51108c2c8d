"""From dataset to bundle, with MLflow and without."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from models.bundle import load_bundle
from models.domain.capture import CaptureKind
from models.domain.errors import ConfigurationError, RetryableError
from models.recipe import OpenSetRecipe, Recipe
from models.traits import LENGTH
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.mlflow_store import mlflow_client
from pipelines.training.train import REPORT, Trained, train
from tests.pipelines.conftest import small_recipe


def changed(trained: Trained, **training: object) -> Recipe:
    content = trained.manifest.recipe.model_dump(mode="json")
    content["training"] |= training
    return Recipe.parse(content, where="test")


class Quiet:
    def on_stage(self, name: str) -> None: ...

    def on_step(self, done: int, total: int, loss: float) -> None: ...

    def on_epoch(self, record: Any, state: Any) -> None: ...


class Killed(Quiet):
    def on_epoch(self, record: Any, state: Any) -> None:
        if record.epoch == 1:
            raise KeyboardInterrupt


def test_the_bundle_is_whole_and_says_how_it_was_made(trained: Trained, dataset: Path) -> None:
    bundle = load_bundle(trained.directory)
    assert bundle.manifest.data_fingerprint == read_dataset_manifest(dataset).fingerprint
    assert bundle.manifest.labels.names == ("Center", "Edge-Ring", "none")
    assert bundle.manifest.metrics["test.macro_f1"] == trained.report.macro_f1.value > 0.8
    assert not (trained.directory / "checkpoint.pt").exists()
    card = (trained.directory / "card.md").read_text()
    assert "split by lot" in card
    assert re.search(r"Drawn in the first.*: Center \d+\.\d%, \d+\.\d% \(\d+\.\d%\); Edge-Ring", card)


def test_the_report_can_be_opened_without_mlflow(trained: Trained) -> None:
    folder = trained.directory / REPORT
    assert {path.name for path in folder.iterdir()} == {
        *("card.html", "card.md", "data.json", "report.json"),
        *(f"{name}.png" for name in ("classes", "confusion", "curves", "data", "embeddings", "errors", "gallery")),
        "reliability.png",
    }
    assert json.loads((folder / "report.json").read_text())["macro_f1"]["value"] == trained.report.macro_f1.value
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.glob("*.png"))


def test_a_killed_training_resumes_to_the_same_bundle(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    recipe = trained.manifest.recipe
    with pytest.raises(KeyboardInterrupt):
        train(recipe, dataset, tmp_path / "out", progress=Killed())
    assert (tmp_path / "out/checkpoint.pt").exists()
    again = train(recipe, dataset, tmp_path / "out", progress=Quiet())
    assert again.ref.digest == trained.ref.digest


def test_another_recipe_does_not_continue_the_checkpoint(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(trained.manifest.recipe, dataset, tmp_path / "out", progress=Killed())
    with pytest.raises(ConfigurationError, match="another run"):
        train(changed(trained, lr=0.001), dataset, tmp_path / "out", progress=Quiet())


def test_mlflow_has_everything(trained: Trained, dataset: Path, mlflow_uri: str, tmp_path: Path) -> None:
    found = train(changed(trained, epochs=2), dataset, tmp_path / "out", mlflow_uri, progress=Quiet())
    assert found.run_id is not None
    client = mlflow_client(mlflow_uri)
    run = client.get_run(found.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["training.sampler"] == "square-root"
    assert run.data.params["network.widths"] == "[8, 16]"
    assert run.data.tags["data.fingerprint"] == found.manifest.data_fingerprint
    assert run.data.metrics["test.macro_f1"] == pytest.approx(found.report.macro_f1.value)
    assert {f"test.{name}.Edge-Ring" for name in ("recall", "precision", "f1", "auroc")} <= run.data.metrics.keys()
    assert sum(value for name, value in run.data.metrics.items() if name.startswith("drawn.")) == pytest.approx(1)
    assert [point.step for point in client.get_metric_history(found.run_id, "valid.macro_f1")] == [0, 1]
    names = {Path(file.path).name for file in client.list_artifacts(found.run_id, REPORT)}
    assert {"confusion.png", "gallery.png", "curves.png", "report.json", "card.html"} <= names


def test_mlflow_being_down_is_said_before_training(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    uri = f"sqlite:///{tmp_path / 'file'}"
    with pytest.raises(RetryableError, match="MLflow does not answer"):
        train(trained.manifest.recipe, dataset, tmp_path / "out", uri, progress=Quiet())
    assert not (tmp_path / "out").exists()


def test_mlflow_dying_on_the_way_costs_no_bundle(
    trained: Trained, dataset: Path, mlflow_uri: str, tmp_path: Path
) -> None:
    class Saboteur(Quiet):
        def on_epoch(self, record: Any, state: Any) -> None:
            (tmp_path / "mlflow/mlflow.db").write_bytes(b"no database any more")

    recipe = changed(trained, epochs=1)
    with pytest.raises(RetryableError, match="the bundle is saved"):
        train(recipe, dataset, tmp_path / "out", mlflow_uri, progress=Saboteur())
    assert load_bundle(tmp_path / "out").manifest.metrics["test.macro_f1"] > 0


def test_wafers_are_not_for_an_image_recipe(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    recipe = trained.manifest.recipe.model_copy(update={"kind": CaptureKind.IMAGE})
    with pytest.raises(ConfigurationError, match="recipe does not fit the dataset"):
        train(recipe, dataset, tmp_path / "out", progress=Quiet())


def test_the_score_of_shapes_is_fitted_on_drawn_strangers_and_finds_real_ones(dataset: Path, tmp_path: Path) -> None:
    recipe = small_recipe(epochs=2)
    recipe = recipe.model_copy(update={"open_set": OpenSetRecipe(scores=("traits",), budget=0.05, drawn=400)})
    found = train(recipe, dataset, tmp_path / "out", progress=Quiet())
    assert found.report.open_set is not None
    assert found.report.open_set.auroc > 0.8  # of bands, which nobody drew on purpose
    assert load_bundle(found.directory).reference.novelty["weights"].shape == (LENGTH,)
