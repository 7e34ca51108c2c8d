"""One capture to one inspection: cut → classify → decide. No database, no model, no files of its own."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.decision import decide, not_inspected
from models.domain.errors import InputError
from models.domain.inspection import Inspection, Looks
from models.domain.patch import Patch
from models.domain.verdict import Prediction, Predictions, Verdict
from models.manifest import BundleManifest
from models.shape import shape_of
from pipelines.ingestion import CaptureReader, cut

BATCH = 256
BATCH_BYTES = 64 << 20
"""Patches handed to the classifier at once: enough to fill a device, small enough for every machine's memory."""

Progress = Callable[[Sequence[Verdict]], None]
"""Told of all verdicts so far after each batch; raises to stop."""


class PatchClassifier(Protocol):
    """Whatever predicts patches with one bundle: the model itself, a replica far away, a fake."""

    @property
    def manifest(self) -> BundleManifest:
        """Of the bundle that predicts."""

    def classify(self, pixels: NDArray[np.uint8]) -> Predictions:
        """Predictions of uint8 (N, H, W, C) patches, in their order.

        Raises:
            RetryableError: it is down or overloaded.
        """


def inspect(
    reader: CaptureReader,
    classifier: PatchClassifier,
    *,
    done: Sequence[Verdict] = (),
    progress: Progress = lambda _: None,
) -> Inspection:
    """Judge every window of a capture.

    Args:
        reader: the capture, open.
        classifier: predicts; its bundle's recipe says how the capture is cut.
        done: verdicts of the first windows, from an earlier try with the same bundle.
        progress: told after each batch.

    Raises:
        InputError: the file turns out to be broken, or the bundle is for other captures.
        RetryableError: the classifier is down.
    """
    manifest, started_at, began = classifier.manifest, datetime.now(UTC), time.perf_counter()
    verdicts = list(done)
    looks = _looks_of_done(reader, classifier, done)
    patches = islice(cut(reader, manifest.recipe.domain_tiling), len(done), None)
    for batch in _batches(patches, manifest):
        for patch, prediction in _judge(batch, classifier):
            verdicts.append(_verdict(patch, prediction, manifest))
            if prediction is not None and patch.window.level.index == 0:
                looks = Looks(prediction.embedding, shape_of(patch.pixels))
        progress(verdicts)
    return Inspection(
        capture=reader.capture,
        bundle=manifest.ref,
        verdicts=tuple(verdicts),
        normal=manifest.labels.normal,
        started_at=started_at,
        duration_s=time.perf_counter() - began,
        looks=looks,
        warnings=reader.warnings,
    )


def _looks_of_done(reader: CaptureReader, classifier: PatchClassifier, done: Sequence[Verdict]) -> Looks | None:
    """How the capture looks that an earlier try saw whole: verdicts are put aside without what they rest on."""
    whole = next((one.window for one in done if one.window.level.index == 0), None)
    patch = None if whole is None else reader.read(whole)
    if patch is None or not patch.inspected:
        return None
    ((_, prediction),) = _judge([patch], classifier)
    assert prediction is not None
    return Looks(prediction.embedding, shape_of(patch.pixels))


def _judge(batch: Sequence[Patch], classifier: PatchClassifier) -> Iterator[tuple[Patch, Prediction | None]]:
    """Patches with what the network believes of them; it is not asked about windows nobody inspected (None)."""
    seen = [patch.pixels for patch in batch if patch.inspected > 0]
    predictions = iter(classifier.classify(np.stack(seen)) if seen else ())
    for patch in batch:
        yield patch, next(predictions) if patch.inspected > 0 else None


def _verdict(patch: Patch, prediction: Prediction | None, manifest: BundleManifest) -> Verdict:
    if prediction is None:
        return not_inspected(patch.window)
    return decide(patch.window, prediction, manifest.labels, manifest.thresholds)


def _batches(patches: Iterator[Patch], manifest: BundleManifest) -> Iterator[list[Patch]]:
    recipe = manifest.recipe
    size = max(1, min(BATCH, BATCH_BYTES // (recipe.tiling.tile**2 * recipe.channels)))
    while batch := list(islice(patches, size)):
        for patch in batch:
            if patch.pixels.shape[2] != recipe.channels:
                raise InputError(
                    "capture does not fit the bundle",
                    where=recipe.name,
                    expected=f"{recipe.channels} channels",
                    got=f"{patch.pixels.shape[2]}",
                    remedy="route such files to a bundle that was trained on them",
                    code="wrong-bundle",
                )
        yield batch
