"""Counting objects on frames left out of training: one pass over the frame, patch by patch, and the mean as a floor."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.classifier import Classifier
from models.counting import peaks
from models.dense import DenseClassifier, VerdictMap
from models.domain.errors import ConfigurationError, InputError
from models.recipe import Recipe
from pipelines.dataset.import_ import ImportOptions, build_dataset
from pipelines.dataset.mining import mine
from pipelines.dataset.patches import targets_of
from pipelines.dataset.samples import Sample
from pipelines.dataset.sources.dots import Dot, frame_file, open_dots, read_dots
from pipelines.dataset.split import assign_groups
from pipelines.ingestion import open_captures
from pipelines.training.loop import Observer
from pipelines.training.train import train

_VALID = 0.15
FOUND_WITHIN = 0.4
"""Of a tile: how far from its dot an object may be counted."""


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Counts on one frame that no model has seen, by class.

    Attributes:
        frame: its file's name.
        truth: dots.
        dense: peaks of one pass over the frame.
        patchwise: adjacent patches, each judged alone.
        mean: of the other frames.
        hits: dots with a peak on them.
        right: of those, peaks that also name the class.
    """

    frame: str
    truth: Mapping[str, int]
    dense: Mapping[str, int]
    patchwise: Mapping[str, int]
    mean: Mapping[str, float]
    hits: int
    right: int


@dataclass(frozen=True, slots=True)
class CountsFound:
    """The protocol in words, and what was counted on each frame."""

    protocol: str
    classes: tuple[str, ...]
    frames: tuple[FrameCounts, ...]

    def error(self, way: str, label: str | None = None) -> float:
        """Mean absolute error over the frames of a way of counting (`dense`, `patchwise`, `mean`).

        Args:
            way: of counting.
            label: of this class; None = of all objects together.
        """
        names = self.classes if label is None else (label,)
        return float(
            np.mean(
                [
                    abs(sum(getattr(one, way).get(name, 0) - one.truth.get(name, 0) for name in names))
                    for one in self.frames
                ]
            )
        )


@dataclass(frozen=True, slots=True)
class CountStudy:
    """Leave frames out in turn: train on the others, mine them for hard negatives, train again, count.

    Attributes:
        recipe: reads densely and counts.
        dots: CSV of the frames' dots.
        patches: table of further patches; those of the frame left out are left out too.
        normal: what background is called in it.
        rounds: of mining and training again.
        progress: of each training; None = a bar on the terminal.
    """

    recipe: Recipe
    dots: Path
    patches: Path | None = None
    normal: str | None = None
    rounds: int = 1
    progress: Observer | None = None

    def run(
        self,
        work_dir: str | Path,
        only: Sequence[str] | None = None,
        done: Callable[[FrameCounts], None] = lambda _: None,
    ) -> CountsFound:
        """Count on each frame.

        Args:
            work_dir: gets a folder for each frame; what is there is not made again.
            only: frames to leave out; None = each.
            done: told each frame as it comes.

        Raises:
            ConfigurationError: the recipe does not count.
            InputError: there is no such frame.
        """
        if self.recipe.count is None:
            raise ConfigurationError("recipe does not count", where=self.recipe.name, expected="count, tiling.dense")
        marked = read_dots(self.dots)
        strangers = set(only or ()) - set(marked)
        if strangers:
            raise InputError(
                "no such frame", where=str(self.dots), expected=" | ".join(marked), got=", ".join(strangers)
            )
        classes = tuple(sorted({dot.label for of_frame in marked.values() for dot in of_frame}))
        found = []
        for frame in only or marked:
            bundle = self._bundle(Path(work_dir) / Path(frame).stem, frame)
            found.append(_counted(frame, marked, classes, self._scan(bundle, frame)))
            done(found[-1])
        protocol = f"each of {len(found)} frames left out of training and of mining ({self.rounds} rounds)"
        return CountsFound(protocol, classes, tuple(found))

    def _bundle(self, place: Path, frame: str) -> Path:
        """The bundle that has seen nothing of a frame."""
        data, bundle = place / "data-0", place / "bundle-0"
        if not (data / "dataset.json").exists():
            origin = open_dots(self.dots, tile=self.recipe.tiling.tile, normal=self.normal, patches=self.patches)
            samples = _split(list(origin.samples), Path(frame).stem)
            options = ImportOptions(name=f"without {Path(frame).stem}")
            build_dataset(lambda: replace(origin, samples=iter(samples)), f"dots: {self.dots.name}", data, options)
        self._train(data, bundle)
        for number in range(1, self.rounds + 1):
            further, earlier = place / f"data-{number}", bundle
            bundle = place / f"bundle-{number}"
            if not (further / "dataset.json").exists():
                mine(earlier, self.dots, data, further)
            data = further
            self._train(data, bundle)
        return bundle

    def _train(self, data: Path, bundle: Path) -> None:
        if not (bundle / "bundle.json").exists():
            train(self.recipe, data, bundle, progress=self.progress)

    def _scan(self, bundle: Path, frame: str) -> "_Seen":
        dense = DenseClassifier(Classifier(load_bundle(bundle)))
        reader = next(iter(open_captures(frame_file(self.dots.parent, frame))))
        return _Seen(dense, dense.scan_capture(reader.capture, lambda window: reader.read(window).pixels))


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    dense: DenseClassifier
    verdicts: VerdictMap


def _split(samples: Sequence[Sample], left_out: str) -> list[Sample]:
    """Samples of the frame left out are tested; of the other frames some validate."""
    rest = [k for k, one in enumerate(samples) if one.group != left_out]
    names = sorted({one.labels[0] for one in samples})
    targets = targets_of([samples[k].labels for k in rest], names)
    parts = assign_groups(targets, [samples[k].group for k in rest], (1 - _VALID, _VALID))
    sides = dict(zip(rest, np.where(parts == 0, "train", "valid").tolist(), strict=True))
    return [replace(one, split=sides.get(k, "test")) for k, one in enumerate(samples)]


def _counted(frame: str, marked: Mapping[str, Sequence[Dot]], classes: tuple[str, ...], seen: _Seen) -> FrameCounts:
    manifest, verdicts, tile = seen.dense.classifier.manifest, seen.verdicts, seen.dense.tile
    count = manifest.recipe.count
    assert count is not None
    names, normal = manifest.labels.names, manifest.labels.normal
    there = 1 - verdicts.probabilities[..., names.index(normal or "")].astype(np.float64)
    objects = verdicts.probabilities.copy()
    objects[..., names.index(normal or "")] = -1
    label = objects.argmax(-1)
    places = peaks(there, verdicts.tops, verdicts.lefts, count)
    # adjacent patches, each judged alone: dense inference gives the same answer at their places
    rows, columns = (_adjacent(line, tile) for line in (verdicts.tops, verdicts.lefts))
    alone = np.argwhere(there[np.ix_(rows, columns)] >= count.presence)
    truth = marked[frame]
    others = [Counter(dot.label for dot in dots) for name, dots in marked.items() if name != frame]
    middles = np.array([(verdicts.tops[r], verdicts.lefts[c]) for r, c in places]).reshape(-1, 2) + tile / 2
    hits, right = _matched(truth, middles, [names[label[place]] for place in places], FOUND_WITHIN * tile)
    return FrameCounts(
        frame=frame,
        truth=Counter(dot.label for dot in truth),
        dense=Counter(names[label[place]] for place in places),
        patchwise=Counter(names[label[rows[r], columns[c]]] for r, c in alone.tolist()),
        mean={name: float(np.mean([one[name] for one in others])) if others else 0.0 for name in classes},
        hits=hits,
        right=right,
    )


def _adjacent(line: NDArray[np.int64], tile: int) -> NDArray[np.intp]:
    """Rows or columns of windows that lie side by side; the last is pulled back inside."""
    return np.unique(np.append(np.searchsorted(line, np.arange(0, line[-1] + 1, tile)), len(line) - 1))


def _matched(
    truth: Sequence[Dot], places: NDArray[np.float64], labels: Sequence[str], within: float
) -> tuple[int, int]:
    """Dots that have a place of their own so near, and how many of those the label fits; the nearest pairs first."""
    if not truth or not len(places):
        return 0, 0
    apart = np.hypot(*(np.array([(dot.row, dot.column) for dot in truth])[:, None] - places[None]).transpose(2, 0, 1))
    hits = right = 0
    for flat in np.argsort(apart, axis=None):
        dot, place = np.unravel_index(flat, apart.shape)
        if apart[dot, place] > within:  # or taken: infinitely far
            continue
        hits += 1
        right += labels[place] == truth[dot].label
        apart[dot, :] = apart[:, place] = np.inf
    return hits, right
