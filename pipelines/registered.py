"""What lies in the registry: a version's files, an input example, what its run was made from; no pickle, no code."""

import hashlib
import json
import platform
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from models.bundle import BundleManifest
from models.manifest import CARD, MANIFEST, REFERENCE, WEIGHTS
from models.recipe import Recipe

BUNDLE = "bundle"
"""Folder of the bundle inside a version."""
EXAMPLE = "input_example.json"
_DIGEST_CHARACTERS = 36
"""MLflow's own limit on the digest of an input."""


def lay_out(folder: Path, bundle_dir: Path, manifest: BundleManifest) -> None:
    """Write the files of a version: the bundle's four, MLflow's description of what goes in and out, an example.

    Args:
        folder: empty.
        bundle_dir: the bundle, verified.
        manifest: of it.
    """
    (folder / BUNDLE).mkdir()
    for file in (MANIFEST, WEIGHTS, REFERENCE, CARD):
        shutil.copyfile(bundle_dir / file, folder / BUNDLE / file)
    example = example_of(manifest.recipe)
    (folder / EXAMPLE).write_text(json.dumps(example.tolist()), encoding="utf-8")
    entry = {"dtype": "uint8", "shape": [-1, *example.shape[1:]]}
    described = {
        "flavors": {
            "python_function": {
                "loader_module": "pipelines.released_model",
                "data": BUNDLE,
                "python_version": platform.python_version(),
            }
        },
        "model_uuid": uuid.uuid4().hex,
        "saved_input_example_info": {"artifact_path": EXAMPLE, "type": "ndarray"},
        "signature": {
            "inputs": json.dumps([{"type": "tensor", "tensor-spec": entry}]),
            "outputs": json.dumps([{"type": "string"}]),  # a label; None where it is refused
            "params": None,
        },
        "utc_time_created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    (folder / "requirements.txt").write_text("waferwatch\n", encoding="utf-8")


def example_of(recipe: Recipe) -> NDArray[np.uint8]:
    """One patch such as the model takes, uint8 (1, tile, tile, channels): a few defects where all was inspected."""
    tile, channels = recipe.tiling.tile, recipe.channels
    example = np.full((1, tile, tile, channels), 255, np.uint8)
    defects = np.random.default_rng(0).random((tile, tile)) < 0.02
    example[0, ..., 0] = np.where(defects, 255, 0)
    return example


def track_inputs(client: Any, run_id: str, recipe: Recipe, *, data_name: str, fingerprint: str, source: str) -> None:
    """Note a run's recipe and dataset as its inputs, so that the tracker answers what else was made from them.

    Args:
        client: of MLflow.
        run_id: the run.
        recipe: how it was trained.
        data_name: of the dataset.
        fingerprint: of the dataset.
        source: where the dataset is from.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - importing MLflow takes seconds

    written = recipe.model_dump_json()
    digest = hashlib.sha256(written.encode()).hexdigest()
    inputs = [
        ("training", Dataset(data_name, fingerprint[:_DIGEST_CHARACTERS], "waferwatch dataset", source)),
        ("recipe", Dataset(f"recipe {recipe.name}", digest[:_DIGEST_CHARACTERS], "waferwatch recipe", written)),
    ]
    client.log_inputs(
        run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)]) for context, dataset in inputs]
    )
