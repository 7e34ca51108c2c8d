"""Hard negatives: where a trained bundle sees objects on its own training frames that nobody marked.

A few hundred random places cannot show all that sea, foam and rocks can look like; the places where a first model errs
are the ones worth showing (bootstrapping: Sung and Poggio, TPAMI 1998; Felzenszwalb et al., TPAMI 2010). Frames of the
test split are never looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.classifier import Classifier
from models.counting import peaks
from models.dense import DenseClassifier
from models.domain.errors import ConfigurationError, InputError
from models.recipe import CountRecipe
from pipelines.dataset.import_ import ImportOptions, build_dataset
from pipelines.dataset.labelled import stored_samples
from pipelines.dataset.manifest import DatasetManifest, read_dataset_manifest
from pipelines.dataset.samples import Sample
from pipelines.dataset.sources.dots import NEAR, Cutter, Dot, frame_file, read_dots
from pipelines.dataset.sources.origin import Origin
from pipelines.ingestion import CaptureReader, open_captures

SUSPECTED = 0.2
"""Presence from which on a place without a dot is a mistake worth learning from."""


@dataclass(frozen=True, slots=True)
class Mined:
    """What was found on a frame: how many mistakes, and how many of them were kept."""

    frame: str
    mistakes: int
    kept: int


def mine(
    bundle_dir: str | Path, dots: Path, data_dir: str | Path, out: str | Path, *, per_frame: int = 200
) -> tuple[DatasetManifest, tuple[Mined, ...]]:
    """The dataset with the bundle's clearest mistakes on its frames as background.

    Args:
        bundle_dir: a first model, trained on the dataset, whose recipe reads densely.
        dots: CSV of the frames' dots, with which the dataset was made.
        data_dir: the dataset.
        out: directory of the new one; every sample keeps its split, and mistakes go with their frame.
        per_frame: mistakes kept of each frame at most, the clearest ones.

    Raises:
        ConfigurationError: the bundle does not read densely, or the dataset has no background class.
        InputError: no frame of the dots is in the dataset.
    """
    data_dir, older = Path(data_dir), read_dataset_manifest(data_dir)
    if older.labels.normal is None:
        raise ConfigurationError("nothing is background", where=str(data_dir), expected="a normal label")
    dense = DenseClassifier(Classifier(load_bundle(bundle_dir)))
    table = pq.read_table(data_dir / "samples.parquet", columns=["group", "split"])
    groups, splits = ([str(one) for one in table.column(name).to_pylist()] for name in ("group", "split"))
    side = dict(zip(groups, splits, strict=True))
    found: list[Mined] = []
    samples: list[Sample] = []
    for frame, marked in read_dots(dots).items():
        split = side.get(Path(frame).stem, "test")
        if split != "test":
            reader = next(iter(open_captures(frame_file(dots.parent, frame))))
            places = list(_mistakes(dense, reader, marked, older.labels.normal))
            cutter = Cutter(reader, frame, dense.tile)
            samples += [replace(cutter.sample(place), split=split) for place in places[:per_frame]]
            found.append(Mined(frame, len(places), min(per_frame, len(places))))
    if not found:
        raise InputError("no frame to mine", where=str(dots), expected="a frame of the training or validation split")
    manifest = build_dataset(
        lambda: Origin(
            chain(stored_samples(data_dir, older), iter(samples)),
            older.labels.normal,
            exclusive=True,
            grouped_by="frame",
        ),
        f"{older.source} + {len(samples)} hard negatives",
        out,
        ImportOptions(name=older.name, unknown=older.unknown),
    )
    return manifest, tuple(found)


def _mistakes(dense: DenseClassifier, reader: CaptureReader, dots: list[Dot], background: str) -> Iterator[Dot]:
    """Peaks of presence away from every dot, the clearest first, as background."""
    manifest = dense.classifier.manifest
    seen = dense.scan_capture(reader.capture, lambda window: reader.read(window).pixels)
    there: NDArray[np.float64] = 1 - seen.probabilities[..., manifest.labels.names.index(background)].astype(np.float64)
    count = _suspicious(manifest.recipe.count)
    known = np.array([(dot.row, dot.column) for dot in dots])
    for row, column in peaks(there, seen.tops, seen.lefts, count):
        place = np.array([seen.tops[row], seen.lefts[column]]) + dense.tile / 2
        if np.hypot(*(known - place).T).min() >= NEAR[0] * dense.tile:
            yield Dot(float(place[0]), float(place[1]), background)


def _suspicious(count: CountRecipe | None) -> CountRecipe:
    """The recipe's way of counting, with another threshold: less than what would be counted is a mistake already."""
    return (count or CountRecipe()).model_copy(update={"presence": SUSPECTED})
