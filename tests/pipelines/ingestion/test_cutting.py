"""Cutting follows the plan, whatever the reader."""

from collections.abc import Iterable, Iterator

import numpy as np

from models.domain.capture import Capture, CaptureKind, ReadWarning
from models.domain.patch import Patch
from models.domain.tiling import Tiling, Window, plan
from pipelines.ingestion import DieMap, DieReader, PointMap, PointReader, cut

WAFER = Capture("0" * 64, CaptureKind.WAFER, "w", 300_000.0, 300_000.0)
TILING = Tiling(tile=64, overlap=8, levels=(0, 2))


class Streaming:
    """A reader that is asked for all windows at once."""

    capture = WAFER
    warnings: tuple[ReadWarning, ...] = ()
    format = ""

    def read(self, window: Window) -> Patch:
        raise AssertionError("stream() is there")

    def stream(self, windows: Iterable[Window]) -> Iterator[Patch]:
        for window in windows:
            yield Patch(window, np.zeros((window.height, window.width, 1), np.uint8), 1.0)


def test_points_and_dies_are_cut_as_planned() -> None:
    points = PointMap(np.float32([1000]), np.float32([2000]), 300_000.0)
    for reader in (PointReader(WAFER, points), DieReader(WAFER, DieMap(np.ones((4, 4), np.uint8))), Streaming()):
        assert [patch.window for patch in cut(reader, TILING)] == list(plan(WAFER, TILING))
