"""One capture to one inspection: cut → classify → decide. No database, no model, no files of its own."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from models.counting import objects, presence, strangers
from models.decision import decide, not_inspected
from models.domain.capture import CaptureKind
from models.domain.heat import HeatMap
from models.domain.inspection import Inspection, Looks, Spot
from models.domain.tiling import Level
from models.domain.verdict import Verdict
from models.heat import heat_maps
from models.manifest import BundleManifest
from models.recipe import Recipe
from models.shape import shape_of
from pipelines.ingestion import CaptureReader
from services.inspection.judging import PatchClassifier, Seen, see, see_again, see_whole

Progress = Callable[[Sequence[Verdict]], None]
"""Told of all verdicts so far after each batch; raises to stop."""


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
    # verdicts are put aside without what they rest on
    looks = _looks(see_whole(reader, classifier)) if any(one.window.level.index == 0 for one in done) else None
    for batch in see(reader, classifier, skip=len(done)):
        for seen in batch:
            verdicts.append(_verdict(seen, manifest))
            looks = looks or _looks(seen)
        progress(verdicts)
    dense = _dense(verdicts, manifest)
    stated = _stated(verdicts, dense, manifest)
    spots = _spots(reader, classifier, _asked_about(dense, stated, manifest.recipe))
    return Inspection(
        capture=reader.capture,
        bundle=manifest.ref,
        verdicts=stated,
        normal=manifest.labels.normal,
        started_at=started_at,
        duration_s=time.perf_counter() - began,
        looks=looks,
        warnings=reader.warnings,
        judged=len(verdicts),
        counted=manifest.recipe.count is not None,
        heat=tuple(chain.from_iterable(_heat(one, manifest) for one in dense.values())),
        spots=spots,
    )


def _verdict(seen: Seen, manifest: BundleManifest) -> Verdict:
    if seen.prediction is None:
        return not_inspected(seen.window)
    return decide(seen.window, seen.prediction, manifest.labels, manifest.thresholds)


def _looks(seen: Seen | None) -> Looks | None:
    """How a capture looks that is seen whole."""
    if seen is None or seen.window.level.index:
        return None
    return _own_looks(seen)


def _own_looks(seen: Seen) -> Looks | None:
    """How a window looks that was read by itself."""
    if seen.prediction is None or seen.patch is None:
        return None
    return Looks(seen.prediction.embedding, shape_of(seen.patch.pixels))


def _asked_about(
    dense: Mapping[Level, Sequence[Verdict]], stated: Sequence[Verdict], recipe: Recipe
) -> tuple[Verdict, ...]:
    """Unknown places that people are asked about, the strangest first; none where the capture itself is named."""
    if recipe.count is None or any(one.window.level.index == 0 for one in stated):
        return ()
    found = chain.from_iterable(strangers(one, stated, recipe.count) for one in dense.values())
    return tuple(sorted(found, key=lambda one: -one.novelty)[: recipe.count.strangers])


def _spots(reader: CaptureReader, classifier: PatchClassifier, unknown: Sequence[Verdict]) -> tuple[Spot, ...]:
    # from top to bottom: many files can only be read so, and would begin anew for each window
    unknown = sorted(unknown, key=lambda one: (one.window.level.index, one.window.top, one.window.left))
    found = []
    for one, seen in zip(unknown, see_again(reader, [one.window for one in unknown], classifier), strict=True):
        looks = _own_looks(seen)
        if looks is not None:
            # shapes are of densities: animals of an image are alike to the network, not in how bright they lie around
            shape = looks.shape if reader.capture.kind is CaptureKind.WAFER else np.zeros_like(looks.shape)
            found.append(Spot(one, replace(looks, shape=shape)))
    return tuple(sorted(found, key=lambda spot: -spot.verdict.novelty))


def _dense(verdicts: Sequence[Verdict], manifest: BundleManifest) -> Mapping[Level, Sequence[Verdict]]:
    """The verdicts of the levels that were read densely."""
    tiling = manifest.recipe.domain_tiling
    found: dict[Level, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        if tiling.reads_densely(one.window.level):
            found[one.window.level].append(one)
    return found


def _heat(verdicts: Sequence[Verdict], manifest: BundleManifest) -> tuple[HeatMap, ...]:
    step = manifest.recipe.tiling.dense
    assert step is not None, "or no level is read densely"
    return heat_maps(verdicts, manifest.labels, step)


def _stated(
    verdicts: Sequence[Verdict], dense: Mapping[Level, Sequence[Verdict]], manifest: BundleManifest
) -> tuple[Verdict, ...]:
    """What the inspection states: every window, or where objects are counted one for each of them.

    Where there is no object at all the closest call is stated, so that a person can see how clear it was.
    """
    recipe, normal = manifest.recipe, manifest.labels.normal
    if recipe.count is None:
        return tuple(verdicts)
    stated = [one for one in verdicts if one.window.level not in dense]
    for of_level in dense.values():
        stated += objects(of_level, normal, recipe.count)
    return tuple(stated or [max(verdicts, key=lambda one: presence(one, normal))])
