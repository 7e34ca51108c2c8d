"""What a file becomes once opened: readers of one capture each, which give the pixels of any of its windows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from models.domain.capture import Capture, ReadWarning
from models.domain.patch import Patch
from models.domain.tiling import Window
from pipelines.ingestion.rendering import render_dies, render_points
from pipelines.ingestion.wafer_maps import DieMap, PointMap


class CaptureReader(Protocol):
    """One capture of a file, open for reading."""

    @property
    def capture(self) -> Capture:
        """What was inspected."""

    @property
    def warnings(self) -> tuple[ReadWarning, ...]:
        """What was odd in the file."""

    @property
    def format(self) -> str:
        """Of the file (of the member, in an archive), such as 'KLARF'; '' = not from a file."""

    def read(self, window: Window) -> Patch:
        """Pixels of a window of any level of the capture's pyramid."""


@runtime_checkable
class StreamReader(Protocol):
    """A reader that is much faster when it knows what comes next: images are decoded from top to bottom."""

    def stream(self, windows: Iterable[Window]) -> Iterator[Patch]:
        """Patches of the windows, in their order."""


@dataclass(frozen=True, eq=False)
class PointReader:
    """A wafer known by the places of its defects."""

    capture: Capture
    points: PointMap
    warnings: tuple[ReadWarning, ...] = ()
    format: str = ""

    def read(self, window: Window) -> Patch:
        """Draw a window; the first one that is not the whole wafer sorts the defects by place."""
        return render_points(self.points, window)


@dataclass(frozen=True, eq=False)
class DieReader:
    """A wafer known by the state of its dies."""

    capture: Capture
    dies: DieMap
    warnings: tuple[ReadWarning, ...] = ()
    format: str = ""

    def read(self, window: Window) -> Patch:
        """Draw a window."""
        return render_dies(self.dies, window)
