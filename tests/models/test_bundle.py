"""Bundles: what is saved comes back, what was touched is refused, and manifests need no torch."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import (
    BundleManifest,
    Thresholds,
    change_thresholds,
    load_bundle,
    read_manifest,
    register_version,
    save_bundle,
)
from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from models.reference import Calibration, Reference

Weights = Mapping[str, NDArray[np.generic]]


def test_what_is_saved_comes_back(
    bundle_dir: Path, manifest: BundleManifest, weights: Weights, reference: Reference
) -> None:
    bundle = load_bundle(bundle_dir)
    stored = bundle.manifest
    assert replace(stored, files={}, ref=replace(stored.ref, digest="")) == manifest
    assert stored == read_manifest(bundle_dir)
    assert len(stored.ref.digest) == 64
    assert set(bundle.weights) == set(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(bundle.weights[name], array)
    np.testing.assert_array_equal(bundle.reference.embeddings, reference.embeddings)
    np.testing.assert_array_equal(bundle.reference.labels, reference.labels)
    assert (bundle.reference.groups, bundle.reference.ids) == (reference.groups, reference.ids)
    np.testing.assert_array_equal(bundle.reference.novelty["neighbours.train"], np.ones((2, 3)))
    np.testing.assert_array_equal(bundle.reference.pictures, reference.pictures)


def test_manifest_and_decision_need_no_torch() -> None:
    code = "import sys, models.bundle, models.decision, models.recipe; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_the_same_content_has_the_same_digest_whatever_it_is_called(
    tmp_path: Path, manifest: BundleManifest, weights: Weights, reference: Reference
) -> None:
    one = save_bundle(tmp_path / "one", manifest, weights, reference, card="# one")
    other = replace(manifest, ref=replace(manifest.ref, name="other", version="7"), metrics={})
    assert save_bundle(tmp_path / "two", other, weights, reference, card="# two").ref.digest == one.ref.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda m: replace(m, temperature=2.0),
        lambda m: replace(m, thresholds=Thresholds(0.5, 1.0)),
        lambda m: replace(m, labels=Labels(("Donut", "Ring", "normal"), "normal")),
        lambda m: replace(m, view_cutoff=0.3),
        lambda m: replace(m, recipe=m.recipe.model_copy(update={"views": ("identity", "rot90")})),
    ],
)
def test_whatever_changes_a_verdict_changes_the_digest(
    tmp_path: Path,
    manifest: BundleManifest,
    weights: Weights,
    reference: Reference,
    change: Callable[[BundleManifest], BundleManifest],
) -> None:
    one = save_bundle(tmp_path / "one", manifest, weights, reference)
    two = save_bundle(tmp_path / "two", change(manifest), weights, reference)
    assert one.ref.digest != two.ref.digest


def test_other_weights_change_the_digest(
    tmp_path: Path, manifest: BundleManifest, weights: Weights, reference: Reference
) -> None:
    one = save_bundle(tmp_path / "one", manifest, weights, reference)
    two = save_bundle(tmp_path / "two", manifest, dict(weights) | {"more": np.ones(1, np.float32)}, reference)
    assert one.ref.digest != two.ref.digest


@pytest.mark.parametrize("name", ["weights.safetensors", "reference.safetensors", "card.md"])
def test_a_changed_file_is_refused(bundle_dir: Path, name: str) -> None:
    content = bytearray((bundle_dir / name).read_bytes())
    content[-1] ^= 1
    (bundle_dir / name).write_bytes(bytes(content))
    with pytest.raises(ConfigurationError, match="does not match its hash"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("name", ["bundle.json", "weights.safetensors", "reference.safetensors", "card.md"])
def test_a_missing_file_is_refused(bundle_dir: Path, name: str) -> None:
    (bundle_dir / name).unlink()
    with pytest.raises(ConfigurationError, match=f"cannot read bundle: .*{name}"):
        load_bundle(bundle_dir)


def test_an_edited_manifest_is_refused(bundle_dir: Path) -> None:
    edit(bundle_dir, lambda content: content["thresholds"].update(novelty=1e9))
    with pytest.raises(ConfigurationError, match="changed after it was written"):
        read_manifest(bundle_dir)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c["files"].update({"../../etc/passwd": "0" * 64}), "lacks files"),
        (lambda c: c["files"].pop("weights.safetensors"), "lacks files"),
        (lambda c: c["files"].update({"card.md": "abc"}), r"files\.card\.md"),
        (lambda c: c.update(temperature=-1), "temperature"),
        (lambda c: c.update(format=2), "format"),
        (lambda c: c["recipe"].update(run="rm -rf /"), r"recipe\.run"),
        (lambda c: c["thresholds"].update(novelty_by_class={"Nobody": 1.0}), "unknown class"),
        (lambda c: c["labels"].update(names=[]), "bad labels"),
    ],
)
def test_a_wrong_manifest_is_refused(bundle_dir: Path, change: Callable[[dict[str, Any]], None], told: str) -> None:
    edit(bundle_dir, change)
    with pytest.raises(ConfigurationError, match=told):
        read_manifest(bundle_dir)


def test_a_link_out_of_the_folder_is_refused(bundle_dir: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.safetensors"
    (bundle_dir / "weights.safetensors").rename(elsewhere)
    (bundle_dir / "weights.safetensors").symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match="leads out"):
        load_bundle(bundle_dir)


def test_not_json_is_refused(bundle_dir: Path) -> None:
    (bundle_dir / "bundle.json").write_bytes(b"\xff{")
    with pytest.raises(ConfigurationError, match="bad bundle manifest"):
        read_manifest(bundle_dir)


def test_a_huge_manifest_is_refused(bundle_dir: Path) -> None:
    (bundle_dir / "bundle.json").write_bytes(b" " * (5 << 20))
    with pytest.raises(ConfigurationError, match="too large"):
        read_manifest(bundle_dir)


def test_a_pickle_is_not_opened(
    bundle_dir: Path, manifest: BundleManifest, weights: Weights, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = pickle.dumps({"weights": 1})
    monkeypatch.setattr("safetensors.numpy.save", lambda _: payload)
    save_bundle(bundle_dir, manifest, weights, reference)
    with pytest.raises(ConfigurationError, match="not a safetensors file"):
        load_bundle(bundle_dir)


def test_an_interrupted_write_is_no_bundle(
    bundle_dir: Path, manifest: BundleManifest, weights: Weights, reference: Reference
) -> None:
    endless = replace(manifest, metrics={"macro_f1": float("nan")})
    with pytest.raises(ConfigurationError, match="macro_f1"):
        save_bundle(bundle_dir, endless, weights, reference)
    with pytest.raises(ConfigurationError, match="cannot read bundle"):
        read_manifest(bundle_dir)


def test_thresholds_can_be_changed_and_that_shows(bundle_dir: Path) -> None:
    before = read_manifest(bundle_dir)
    after = change_thresholds(bundle_dir, Thresholds(0.9, 3.0))
    assert after.thresholds == Thresholds(0.9, 3.0)
    assert after.ref.digest != before.ref.digest
    assert load_bundle(bundle_dir).manifest == after


def test_a_version_can_be_noted_without_changing_the_digest(bundle_dir: Path) -> None:
    before = read_manifest(bundle_dir)
    after = register_version(bundle_dir, "12")
    assert after.ref == replace(before.ref, version="12")
    assert read_manifest(bundle_dir) == after


def test_an_old_bundle_survives_a_new_default_of_the_recipe(bundle_dir: Path) -> None:
    """A key added to the recipe later is absent from old manifests; they must still verify."""
    path = bundle_dir / "bundle.json"
    content = json.loads(path.read_text())
    del content["recipe"]["adaptive_views"]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="expected digest") as caught:
        read_manifest(bundle_dir)
    content["digest"] = caught.value.complaint.expected.removeprefix("digest ")
    path.write_text(json.dumps(content))
    assert read_manifest(bundle_dir).recipe.adaptive_views is False


def test_an_inconsistent_reference_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="reference is inconsistent"):
        Reference(np.zeros((3, 2), np.float32), np.zeros(3, np.int64), ("a",), ("a", "b", "c"))
    with pytest.raises(ConfigurationError, match="calibration is inconsistent"):
        Calibration(np.zeros(2, np.int64), np.zeros(3, np.int64), np.zeros(3, np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize("wrong", [(-0.1, 0.0), (1.1, 0.0), (0.5, float("nan"))])
def test_wrong_thresholds_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ConfigurationError, match="bad thresholds"):
        Thresholds(*wrong)


def edit(bundle_dir: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle_dir / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
