"""`evaluate`: a bundle against a dataset, through the same classifier and the same `decide` as serving."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import BundleManifest, load_bundle
from models.classifier import Classifier
from models.domain.errors import ConfigurationError
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import DatasetManifest, read_dataset_manifest
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.samples import DatasetKind
from pipelines.evaluation import metrics
from pipelines.evaluation.answers import Answers
from pipelines.evaluation.floor import Floor, trivial_rules
from pipelines.evaluation.judging import Judged, judge
from pipelines.evaluation.operating import Curve, curves, operating
from pipelines.evaluation.report import OpenSetReport, Report


def evaluate(
    bundle_dir: str | Path,
    data_dir: str | Path,
    split: str | None = None,
    *,
    device: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Report:
    """Measure a bundle.

    Args:
        bundle_dir: the bundle.
        data_dir: the dataset.
        split: measured on; None = the test split if the bundle was trained on this very dataset, else all samples.
        device: torch device; None = CUDA if there is one.
        progress: told how many of how many patches are done.

    Raises:
        ConfigurationError: bundle and dataset do not fit, or the split is not there or was learned by heart.
    """
    return examine(Classifier(load_bundle(bundle_dir), device), data_dir, split, progress).report


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """A report with what it was made from: the patches and what the model said of each."""

    report: Report
    patches: PatchSet
    judged: Judged
    kind: DatasetKind


def examine(
    classifier: Classifier,
    data_dir: str | Path,
    split: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Examination:
    """`evaluate` for a classifier in hand, with everything the report was made from."""
    manifest, dataset = classifier.manifest, read_dataset_manifest(data_dir)
    own = manifest.data_fingerprint == dataset.fingerprint
    if own and split == "train":
        raise ConfigurationError(
            "the bundle was trained on this split", where=str(data_dir), remedy="evaluate on the test split"
        )
    split = split or ("test" if own else None)
    recipe = manifest.recipe
    patches = load_patches(
        data_dir, tile=recipe.tiling.tile, channels=recipe.channels, splits=None if split is None else (split,)
    )
    patches = with_labels_of(manifest, patches)
    began = time.perf_counter()
    judged = judge(classifier, patches.pixels, progress)
    subject = Subject(manifest, dataset, protocol_of(dataset, split, own=own), trivial_rules(data_dir, split))
    report = report_on(subject, patches, judged, time.perf_counter() - began)
    return Examination(report, patches, judged, dataset.kind)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is being reported on: bundle, dataset, protocol in words, and the floor of that protocol."""

    bundle: BundleManifest
    dataset: DatasetManifest
    protocol: str
    floor: tuple[Floor, ...]


def protocol_of(dataset: DatasetManifest, split: str | None, *, own: bool) -> str:
    """In words: which samples, how they were separated from training, and what that is worth."""
    which = f"{split} split" if split else "all samples"
    if not own:
        return f"{which} of a dataset the bundle was not trained on"
    if dataset.grouped_by == "sample":
        return f"{which} of the training dataset, split at random because no lots are known: flatters"
    return f"{which} of the training dataset, split by {dataset.grouped_by}"


def with_labels_of(manifest: BundleManifest, patches: PatchSet) -> PatchSet:
    """The patches in the words of a bundle; classes it never learned become unknown ones.

    Raises:
        ConfigurationError: one has one label per patch and the other several, or no class is shared.
    """
    wanted, found = manifest.labels, patches.labels
    shared = [name for name in wanted.names if name in found.names]
    if wanted.exclusive != found.exclusive or not shared:
        raise ConfigurationError(
            "dataset does not fit the bundle",
            expected=f"{'one label' if wanted.exclusive else 'several labels'} of {', '.join(wanted.names)}",
            got=f"{'one' if found.exclusive else 'several'} of {', '.join(found.names)}",
        )
    targets = np.zeros((len(patches), len(wanted.names)), np.uint8)
    for name in shared:
        targets[:, wanted.names.index(name)] = patches.targets[:, found.names.index(name)]
    others = [k for k, name in enumerate(found.names) if name not in wanted.names]
    unknown = patches.unknown.astype(object)
    for k in others:
        unknown[patches.targets[:, k] > 0] = found.names[k]
    targets[unknown != ""] = 0
    return replace(patches, targets=targets, unknown=unknown.astype(np.str_), labels=wanted)


def report_on(subject: Subject, patches: PatchSet, judged: Judged, seconds: float) -> Report:
    """All figures of judged patches.

    Raises:
        ConfigurationError: none of them is of a class the bundle knows.
    """
    answers = answers_of(patches, judged)
    scores = answers.scores()
    right = (answers.forced == answers.truth).all(1)
    return Report(
        **{field.name: getattr(scores, field.name) for field in fields(scores)},
        bundle=f"{subject.bundle.ref.name} {subject.bundle.ref.version}",
        digest=subject.bundle.ref.digest,
        dataset=subject.dataset.name,
        fingerprint=subject.dataset.fingerprint,
        protocol=subject.protocol,
        calibration_error=(
            metrics.calibration_error(judged.confidence[patches.known], right) if patches.labels.exclusive else None
        ),
        open_set=_open_set(judged, patches, right),
        operating=tuple(map(operating, curves_of(patches, judged))),
        floor=subject.floor,
        seconds=seconds,
    )


def curves_of(patches: PatchSet, judged: Judged) -> tuple[Curve, ...]:
    """ROC and precision-recall curves of every class, over the patches of known classes."""
    known = patches.known
    return curves(patches.targets[known], judged.predictions.probabilities[known], patches.labels.names)


def answers_of(patches: PatchSet, judged: Judged) -> Answers:
    """What was stated of the patches of known classes."""
    known = patches.known
    return Answers(
        labels=patches.labels,
        groups=patches.groups[known],
        truth=patches.targets[known],
        stated=judged.stated[known],
        forced=judged.forced[known],
        refused=judged.refused[known],
    )


def _open_set(judged: Judged, patches: PatchSet, right: NDArray[np.bool_]) -> OpenSetReport | None:
    known, defects = patches.known, defects_of(patches)
    if known.all():
        return None
    novelty = judged.predictions.novelty.astype(np.float64)
    return OpenSetReport(
        strangers=int((~known).sum()),
        refused=float(judged.refused[~known].mean()),
        auroc=metrics.auroc(novelty[known], novelty[~known]),
        auroc_defects=metrics.auroc(novelty[defects], novelty[~known]) if defects.any() else None,
        aupr=metrics.aupr(novelty[known], novelty[~known]),
        fpr_at_95=metrics.fpr_at_95(novelty[known], novelty[~known]),
        oscr=metrics.oscr(novelty[known], right, novelty[~known]),
    )


def defects_of(patches: PatchSet) -> NDArray[np.bool_]:
    """(N,), True where a patch is of a known class that is not the normal one; nowhere if nothing is normal."""
    if patches.labels.normal is None:
        return np.zeros(len(patches), bool)
    if patches.labels.exclusive:
        normal = patches.labels.names.index(patches.labels.normal)
        return np.asarray(patches.known & (patches.index != normal))
    return np.asarray(patches.known & patches.targets.any(1))
