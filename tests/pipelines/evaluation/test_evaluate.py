"""Evaluation says what serving would say, and under which protocol."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from models.bundle import load_bundle, save_bundle
from models.classifier import Classifier
from models.decision import decide
from models.domain.errors import ConfigurationError
from models.domain.tiling import Level, Window
from models.domain.verdict import Labels, Predictions
from pipelines.dataset.import_ import ImportOptions, import_dataset
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.dataset.patches import PatchSet, targets_of
from pipelines.evaluation import evaluate
from pipelines.evaluation.card import html, markdown, sections, write_html
from pipelines.evaluation.evaluate import Subject, report_on, with_labels_of
from pipelines.evaluation.judging import Judged
from pipelines.evaluation.report import Report
from pipelines.evaluation.table import print_report
from pipelines.training.train import Trained


@pytest.fixture(scope="module")
def report(trained: Trained, dataset: Path) -> Report:
    return evaluate(trained.directory, dataset)


def test_the_test_split_is_taken_and_the_protocol_said(report: Report, trained: Trained) -> None:
    assert report.protocol == "test split of the training dataset, split by lot"
    assert report.macro_f1 == trained.report.macro_f1
    assert report.digest == trained.ref.digest
    assert report.floor[0].macro_f1 < 0.35 < report.macro_f1.value


def test_every_statement_is_the_services_statement(trained: Trained, dataset: Path, report: Report) -> None:
    bundle = load_bundle(trained.directory)
    patches = load_patches(dataset, tile=16, channels=2, splits=("test",))
    patches = patches.only(patches.known)
    window = Window(Level(0, 16, 16), 0, 0, 16, 16)
    names = bundle.manifest.labels.names
    matrix = np.zeros((3, 4), int)
    for truth, prediction in zip(patches.index, Classifier(bundle, "cpu").predict(patches.pixels), strict=True):
        label = decide(window, prediction, bundle.manifest.labels, bundle.manifest.thresholds).label
        matrix[truth, 3 if label is None else names.index(label)] += 1
    assert np.array(report.confusion).tolist() == matrix.tolist()
    assert report.patches == matrix.sum()


def test_strangers_measure_the_open_set_and_nothing_else(report: Report) -> None:
    assert report.open_set is not None
    assert report.open_set.strangers == 72
    assert 0 <= report.open_set.auroc <= 1
    assert sum(row.support for row in report.classes) == report.patches


def test_another_dataset_is_measured_whole(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    import_dataset(
        "wafers-parquet", dataset.parent / "w.parquet", tmp_path / "other", ImportOptions(unknown=("Band",), seed=9)
    )
    found = evaluate(trained.directory, tmp_path / "other")
    assert found.protocol == "all samples of a dataset the bundle was not trained on"
    assert found.patches > 200


def test_classes_the_bundle_never_learned_are_strangers(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    import_dataset("wafers-parquet", dataset.parent / "w.parquet", tmp_path / "other")
    found = evaluate(trained.directory, tmp_path / "other")
    assert [row.name for row in found.classes] == ["Center", "Edge-Ring", "none"]
    assert found.open_set is not None
    assert found.open_set.strangers == 72


def test_the_training_split_is_not_measured_on(trained: Trained, dataset: Path) -> None:
    with pytest.raises(ConfigurationError, match="trained on this split"):
        evaluate(trained.directory, dataset, "train")


def test_data_of_other_classes_are_refused(trained: Trained) -> None:
    labels = Labels(("x", "y"), None)
    patches = PatchSet(
        np.zeros((1, 16, 16, 2), np.uint8), targets_of([("x",)], labels.names), *(np.array(["a"]) for _ in range(3)),
        np.array([""]), labels,
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="does not fit the bundle"):
        with_labels_of(trained.manifest, patches)


def test_json_is_json(report: Report) -> None:
    content = json.loads(report.to_json())
    assert content["macro_f1"]["value"] == report.macro_f1.value
    assert json.loads(replace(report, forced_macro_f1=float("nan")).to_json())["forced_macro_f1"] is None
    assert "recall.Center" in report.figures


def test_the_table_shows_protocol_and_floor(report: Report) -> None:
    text = io.StringIO()
    print_report(report, Console(file=text, width=140))
    for words in ("test split of the training dataset", "floor: always the commonest class", "Edge-Ring", "AUROC"):
        assert words in text.getvalue()


def test_the_card_escapes_what_it_shows_and_loads_nothing(
    trained: Trained, dataset: Path, report: Report, tmp_path: Path
) -> None:
    manifest = read_dataset_manifest(dataset)
    parts = sections(trained.manifest, replace(manifest, name="<script>|x"), report)
    page = html(parts)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert "<script>|x" in markdown(parts)
    write_html(report, tmp_path / "r.html")
    assert "Confusion" in (tmp_path / "r.html").read_text()


def test_several_labels_are_judged_one_by_one(trained: Trained, dataset: Path) -> None:
    labels = Labels(("a", "b"), "normal", exclusive=False)
    truth = [("a",), ("a", "b"), (), ()]
    stated = np.array([[1, 0], [1, 0], [0, 0], [0, 1]], np.uint8)
    text = np.array(["0", "1", "2", "3"])
    patches = PatchSet(
        np.zeros((4, 16, 16, 2), np.uint8),
        targets_of(truth, labels.names),
        text,
        text,
        text,
        np.array([""] * 4),
        labels,
    )
    nothing = Predictions(np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32), np.zeros(4, np.float32))
    judged = Judged(stated, np.array([False] * 4), stated, np.ones(4), nothing)
    manifest = replace(
        trained.manifest, labels=labels, thresholds=replace(trained.manifest.thresholds, novelty_by_class={})
    )
    found = report_on(Subject(manifest, read_dataset_manifest(dataset), "p", ()), patches, judged, 0.1)
    assert found.accuracy == 0.5
    assert [row.recall for row in found.classes] == [1, 0]
    assert found.normal_false_alarms == 0.5
    assert found.missed == 0
    assert found.confusion == ()


def test_a_changed_threshold_changes_the_report(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    """The floor of honesty: evaluation reads the bundle's thresholds, not its own."""
    bundle = load_bundle(trained.directory)
    strict = replace(bundle.manifest, thresholds=replace(bundle.manifest.thresholds, novelty=-1e9))
    save_bundle(tmp_path / "strict", strict, bundle.weights, bundle.reference)
    assert evaluate(tmp_path / "strict", dataset).refused == 1.0
