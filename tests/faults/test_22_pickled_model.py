"""Fault 22: a maliciously pickled model is refused, and nothing of it runs."""

import hashlib
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from models.bundle import BundleManifest, save_bundle
from models.domain.errors import ConfigurationError
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.manifest import Thresholds
from models.network import build_network, weights_of
from models.recipe import Recipe
from models.reference import Reference
from pipelines.mlflow_store import experiment_id, mlflow_client
from pipelines.release import fetch_released
from pipelines.training.state import load_checkpoint, new_state

RECIPE = Recipe.parse(
    {
        "name": "wafer",
        "tiling": {"tile": 16},
        "network": {"widths": [4], "convolutions": 1, "embedding": 4},
        "open_set": {"scores": ["max_logit"]},
    },
    "test",
)
LABELS = Labels(("Ring", "none"), "none")


class Bomb:
    """Creates a file when it is unpickled, as a stranger's code would do worse."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_the_bomb_goes_off_when_unpickled(tmp_path: Path) -> None:
    """Or the tests below would prove nothing."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()


def registered(uri: str, files: Path) -> None:
    """Put files into the registry as champion, with MLflow's own means and every tag a stranger can forge."""
    client = mlflow_client(uri)
    client.create_registered_model("wafer")
    run = client.create_run(experiment_id(client, uri, "strange"))
    client.log_artifacts(run.info.run_id, str(files), "model")
    source = f"{run.info.artifact_uri}/model"
    version = client.create_model_version("wafer", source, run.info.run_id, tags={"digest": "0" * 64}).version
    client.set_registered_model_alias("wafer", "champion", version)


def pickled_model(folder: Path, mark: Path) -> Path:
    """A model as `mlflow.pyfunc` writes one: its class pickled by cloudpickle."""
    folder.mkdir()
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Bomb(mark)))
    flavour = {
        "loader_module": "mlflow.pyfunc.model",
        "python_model": "python_model.pkl",
        "cloudpickle_version": "3.0.0",
        "python_version": "3.11.0",
    }
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": flavour}}))
    return folder


def small_bundle(folder: Path) -> Path:
    network = build_network(RECIPE, 2)
    manifest = BundleManifest(BundleRef("wafer", "0", ""), RECIPE, LABELS, 1.0, Thresholds(0.0, 1e9), "data")
    reference = Reference(np.empty((0, 4), np.float32), np.empty(0, np.int64), (), ())
    save_bundle(folder, manifest, weights_of(network), reference)
    return folder


@pytest.mark.faults
def test_a_pickled_model_in_the_registry_is_no_bundle(mlflow_uri: str, tmp_path: Path) -> None:
    registered(mlflow_uri, pickled_model(tmp_path / "model", tmp_path / "mark"))
    with pytest.raises(ConfigurationError, match=r"no bundle of ours.*python_model\.pkl"):
        fetch_released("wafer", "champion", mlflow_uri, tmp_path / "fetched")
    assert not (tmp_path / "mark").exists()
    assert list((tmp_path / "fetched").iterdir()) == []


@pytest.mark.faults
@pytest.mark.parametrize("part", ["weights.safetensors", "reference.safetensors"])
def test_a_pickle_in_place_of_weights_is_refused_though_its_hash_was_forged(
    part: str, mlflow_uri: str, tmp_path: Path
) -> None:
    bundle = small_bundle(tmp_path / "model/bundle")
    content = pickle.dumps(Bomb(tmp_path / "mark"))
    (bundle / part).write_bytes(content)
    document = json.loads((bundle / "bundle.json").read_text())
    document["files"][part] = hashlib.sha256(content).hexdigest()
    judged = {key: value for key, value in document.items() if key not in ("name", "version", "digest", "metrics")}
    judged["files"] = {name: sha for name, sha in document["files"].items() if name != "card.md"}
    text = json.dumps(judged, sort_keys=True, separators=(",", ":"))
    document["digest"] = hashlib.sha256(text.encode()).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(document))
    registered(mlflow_uri, tmp_path / "model")
    with pytest.raises(ConfigurationError, match="not a safetensors file"):
        fetch_released("wafer", "champion", mlflow_uri, tmp_path / "fetched")
    assert not (tmp_path / "mark").exists()
    assert list((tmp_path / "fetched").iterdir()) == []


@pytest.mark.faults
def test_a_pickle_in_place_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"identity": "x", "network": Bomb(tmp_path / "mark")}, tmp_path / "checkpoint.pt")
    state = new_state(RECIPE.training, build_network(RECIPE, 2))
    with pytest.raises(ConfigurationError, match="cannot read checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt", state, "x")
    (tmp_path / "checkpoint.pt").write_bytes(pickle.dumps(Bomb(tmp_path / "mark")))
    with pytest.raises(ConfigurationError, match="cannot read checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt", state, "x")
    assert not (tmp_path / "mark").exists()


@pytest.mark.slow
@pytest.mark.faults
def test_mlflow_itself_refuses_it_in_our_processes(
    mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", raising=False)
    registered(mlflow_uri, pickled_model(tmp_path / "model", tmp_path / "mark"))  # makes a client, as all of ours do
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, while it is imported
        import mlflow.pyfunc

        mlflow.set_tracking_uri(mlflow_uri)
        with pytest.raises(mlflow.exceptions.MlflowException, match=r"(?i)pickle"):
            mlflow.pyfunc.load_model("models:/wafer@champion")
    assert not (tmp_path / "mark").exists()
