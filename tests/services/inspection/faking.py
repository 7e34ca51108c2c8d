"""A classifier that reads its answer from the pixels, and readers of captures made of plain arrays."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Capture, CaptureKind, Provenance, ReadWarning, capture_id
from models.domain.errors import InputError, RetryableError
from models.domain.inspection import BundleRef
from models.domain.patch import Patch
from models.domain.tiling import Window
from models.domain.verdict import Labels, Predictions
from models.manifest import BundleManifest, Thresholds
from models.recipe import CountRecipe, Recipe, TilingRecipe

LABELS = Labels(("Normal", "Scratch", "Ring"), normal="Normal")
UNINSPECTED = 255
"""A pixel of this value says that nobody looked."""
STRANGE = 99
"""A pixel of this value is like nothing known."""


def manifest(
    digest: str = "b" * 64,
    *,
    levels: tuple[int, ...] = (0,),
    channels: int = 1,
    dense: int | None = None,
    count: CountRecipe | None = None,
) -> BundleManifest:
    tiling = TilingRecipe(tile=4, levels=levels, dense=dense)
    return BundleManifest(
        ref=BundleRef("wafer", "3", digest),
        recipe=Recipe(name="wafer", kind=CaptureKind.IMAGE, tiling=tiling, channels=channels, count=count),
        labels=LABELS,
        temperature=1.0,
        thresholds=Thresholds(confidence=0.5, novelty=1.0),
        data_fingerprint="f" * 64,
    )


@dataclass
class FakeClassifier:
    """Class k where the first pixel is k; strange where it is `STRANGE`."""

    manifest: BundleManifest = field(default_factory=manifest)
    before: Callable[[], None] = lambda: None
    """Called before each answer; may raise."""
    batches: list[int] = field(default_factory=list)

    def classify(self, pixels: NDArray[np.uint8]) -> Predictions:
        self.before()
        self.batches.append(len(pixels))
        first = pixels[:, 0, 0, 0].astype(int)
        probabilities = np.full((len(pixels), 3), 0.05, np.float32)
        probabilities[np.arange(len(pixels)), first % 3] = 0.9
        return Predictions(
            probabilities,
            np.zeros((len(pixels), 2), np.float32),
            np.where(first == STRANGE, 2.0, 0.5).astype(np.float32),
        )

    def classify_block(self, pixels: NDArray[np.uint8]) -> Predictions:
        """By the very same patches: what a dense pass gives."""
        tile, step = self.manifest.recipe.tiling.tile, self.manifest.recipe.tiling.dense
        assert step is not None
        places = [range(0, length - tile + 1, step) for length in pixels.shape[:2]]
        cut = [pixels[top : top + tile, left : left + tile] for top in places[0] for left in places[1]]
        return self.classify(np.stack(cut))


@dataclass(frozen=True)
class ArrayReader:
    """An image of which every window is one value."""

    capture: Capture
    values: Sequence[int]
    channels: int = 1
    warnings: tuple[ReadWarning, ...] = ()

    def read(self, window: Window) -> Patch:
        value = self.values[(window.left // window.width) % len(self.values)]
        pixels = np.full((window.height, window.width, self.channels), value, np.uint8)
        return Patch(window, pixels, 0.0 if value == UNINSPECTED else 1.0)


def image(content_sha256: str, values: Sequence[int], name: str, **options: int) -> ArrayReader:
    """A strip one tile high, as long as there are values; cut at level -1."""
    capture = Capture(
        id=content_sha256,
        kind=CaptureKind.IMAGE,
        name=name,
        height=4,
        width=4 * len(values),
        provenance=Provenance(product="P1", tool="T9"),
    )
    return ArrayReader(capture, values, **options)


def fake_open(path: Path, **_: object) -> Iterator[ArrayReader]:
    """Files of these tests hold one line per capture: the values of its windows.

    Behind `tool@` if the tool is not T9; behind `odd ` there is a warning.
    """
    content = path.read_bytes()
    lines = content.decode().splitlines()
    for ordinal, text in enumerate(lines):
        line = text
        if line == "broken":
            raise InputError("bad wafer", where=f"{path}:{ordinal + 1}", expected="numbers", got=line)
        if line == "truncated":
            raise RetryableError("file ends early", where=f"{path}:{ordinal + 1}", code="truncated")
        if line == "bug":
            raise ZeroDivisionError
        odd = line.startswith("odd ")
        *tool, line = line.removeprefix("odd ").split("@")
        reader = image(hashlib.sha256(content).hexdigest(), [int(value) for value in line.split()], path.name)
        identity = capture_id(hashlib.sha256(content).hexdigest(), ordinal, len(lines))
        provenance = Provenance(product="P1", tool=tool[0] if tool else "T9")
        warnings = (ReadWarning("odd", f"{path}: odd", ordinal + 1),) if odd else ()
        captured = replace(reader.capture, id=identity, provenance=provenance)
        yield replace(reader, capture=captured, warnings=warnings)
