"""A bundle into the registry and back, with the gate in between."""

import json
import pickletools
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle import load_bundle, read_manifest, save_bundle
from models.domain.errors import ConfigurationError, RetryableError
from pipelines.mlflow_store import mlflow_client
from pipelines.registered import example_of
from pipelines.release import fetch_released, release, released_version, roll_back
from pipelines.training.train import Trained


def worse(trained: Trained, directory: Path) -> Path:
    bundle = load_bundle(trained.directory)
    figures = dict(bundle.manifest.metrics) | {"test.normal_false_alarms": 0.5}
    save_bundle(directory, replace(bundle.manifest, metrics=figures), bundle.weights, bundle.reference)
    return directory


def test_what_is_released_can_be_fetched_and_is_the_same(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    found = release(trained.directory, mlflow_uri)
    assert (found.name, found.version, found.alias) == ("small", "1", "champion")
    assert released_version("small", "champion", mlflow_uri) == "1"
    folder = fetch_released("small", "champion", mlflow_uri, tmp_path / "fetched")
    fetched = read_manifest(folder)
    assert fetched.ref.version == "1"
    assert fetched.ref.digest == trained.ref.digest
    assert fetch_released("small", "champion", mlflow_uri, tmp_path / "fetched") == folder
    assert [path.name for path in (tmp_path / "fetched").iterdir()] == [folder.name], "no scratch is left behind"


def test_a_worse_one_is_registered_as_challenger_and_refused(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    release(trained.directory, mlflow_uri)
    with pytest.raises(ConfigurationError, match="false alarms rise") as refused:
        release(worse(trained, tmp_path / "worse"), mlflow_uri)
    assert refused.value.code == "gate-refused"
    assert released_version("small", "champion", mlflow_uri) == "1"
    assert released_version("small", "challenger", mlflow_uri) == "2"
    tags = mlflow_client(mlflow_uri).get_model_version("small", "2").tags
    assert tags["gate"] == "refused"
    assert "false alarms" in tags["gate.reasons"]


def test_a_forced_one_is_noted_and_can_be_rolled_back(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    release(trained.directory, mlflow_uri)
    assert release(worse(trained, tmp_path / "worse"), mlflow_uri, force=True).version == "2"
    assert mlflow_client(mlflow_uri).get_model_version("small", "2").tags["gate"] == "forced"
    assert roll_back("small", mlflow_uri) == "1"
    assert released_version("small", "champion", mlflow_uri) == "1"
    assert roll_back("small", mlflow_uri) == "2", "and forth again"


def test_nothing_released_is_said_with_the_remedy(mlflow_uri: str, tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match=r"no model is released yet.*waferwatch release"):
        fetch_released("small", "champion", mlflow_uri, tmp_path)
    with pytest.raises(ConfigurationError, match="nothing to return to"):
        roll_back("small", mlflow_uri)


def test_a_bundle_changed_in_the_registry_is_refused(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    release(trained.directory, mlflow_uri)
    weights = next((tmp_path / "mlflow").rglob("weights.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ConfigurationError, match="does not match its hash"):
        fetch_released("small", "champion", mlflow_uri, tmp_path / "fetched")
    assert list((tmp_path / "fetched").iterdir()) == []


def test_another_bundle_put_in_its_place_is_refused(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    """Sound in itself, yet not what was registered."""
    release(trained.directory, mlflow_uri)
    bundle = load_bundle(trained.directory)
    place = next((tmp_path / "mlflow").rglob("weights.safetensors")).parent
    save_bundle(place, replace(bundle.manifest, temperature=9.0), bundle.weights, bundle.reference)
    with pytest.raises(ConfigurationError, match="not the registered one"):
        fetch_released("small", "champion", mlflow_uri, tmp_path / "fetched")


def test_a_damaged_bundle_is_not_registered(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    shutil.copytree(trained.directory, tmp_path / "bundle")
    (tmp_path / "bundle/weights.safetensors").write_bytes(b"")
    with pytest.raises(ConfigurationError):
        release(tmp_path / "bundle", mlflow_uri)
    with pytest.raises(RetryableError):
        released_version("small", "champion", mlflow_uri)


def test_no_pickle_is_stored_and_only_what_is_needed(trained: Trained, mlflow_uri: str, tmp_path: Path) -> None:
    release(trained.directory, mlflow_uri)
    stored = [path for path in (tmp_path / "mlflow/mlartifacts").rglob("*") if path.is_file()]
    model = {path.name for path in stored if "report" not in path.parts} - {"registered_model_meta"}
    assert model == {
        *("MLmodel", "requirements.txt", "bundle.json", "card.md", "weights.safetensors", "reference.safetensors"),
        *("input_example.json", "gate.md", "gate.json"),
    }
    assert {"card.html", "report.json", "data.json", "confusion.png"} <= {path.name for path in stored}
    for path in stored:
        with pytest.raises(ValueError):
            list(pickletools.genops(path.read_bytes()))
    assert json.loads(next(path for path in stored if path.name == "bundle.json").read_text())["name"] == "small"


def test_recipe_and_dataset_are_inputs_of_the_release(trained: Trained, mlflow_uri: str) -> None:
    version = release(trained.directory, mlflow_uri).version
    client = mlflow_client(mlflow_uri)
    run = client.get_run(client.get_model_version("small", version).run_id)
    inputs = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert inputs["training"].digest == trained.manifest.data_fingerprint[:36]
    assert json.loads(inputs["recipe"].source) == trained.manifest.recipe.model_dump(mode="json")


def test_the_example_is_what_the_signature_says(trained: Trained) -> None:
    example = example_of(trained.manifest.recipe)
    assert (example.shape, example.dtype) == ((1, 16, 16, 2), np.uint8)
    assert 0 < (example[..., 0] > 0).mean() < 0.1
    assert (example[..., 1] == 255).all()


@pytest.mark.slow
def test_mlflow_itself_can_load_it_with_pickle_switched_off(
    trained: Trained, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(trained.directory, mlflow_uri)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, while it is imported
        import mlflow.pyfunc

        mlflow.set_tracking_uri(mlflow_uri)
        model = mlflow.pyfunc.load_model("models:/small@champion")
    assert model.metadata.signature.outputs is not None
    example = model.metadata.load_input_example("models:/small@champion")
    assert (example.shape, example.dtype) == ((1, 16, 16, 2), np.uint8)
    assert len(model.predict(example)) == 1
    labels = model.predict(np.zeros((2, 16, 16, 2), np.uint8))
    assert len(labels) == 2
    assert set(labels) <= {"Center", "Edge-Ring", "none", None}
    with pytest.raises(mlflow.exceptions.MlflowException):
        model.predict(np.zeros((2, 17, 16, 2), np.uint8))
