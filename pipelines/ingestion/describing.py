"""What a file holds, in words and numbers: for `waferwatch read`, and for whoever wants to look before judging."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.domain.capture import Capture, CaptureKind, ReadWarning
from pipelines.ingestion.captures import CaptureReader, DieReader, PointReader
from pipelines.ingestion.formats.images import ImageReader
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.opening import open_captures
from pipelines.ingestion.options import ReadOptions
from pipelines.ingestion.wafer_maps import FAIL, NO_DIE


@dataclass(frozen=True, slots=True)
class Description:
    """One capture of a file; None where a figure does not exist for its kind.

    Attributes:
        capture: who, when, where, extent.
        format: such as 'KLARF'.
        defects: number of defects with places.
        adders: of these, new since an earlier step; None = the file does not say.
        inspected_dies: dies that were looked at; None also where the file does not say.
        failed_dies: of a die map.
        dies: rows × columns of a die map.
        bands: of an image.
        warnings: what was odd in the file.
    """

    capture: Capture
    format: str = ""
    defects: int | None = None
    adders: int | None = None
    inspected_dies: int | None = None
    failed_dies: int | None = None
    dies: tuple[int, int] | None = None
    bands: int | None = None
    warnings: tuple[ReadWarning, ...] = ()

    @property
    def content(self) -> str:
        """In words, such as '1,234 defects (56 new), 567 dies'."""
        if self.defects is not None:
            new = "" if self.adders is None else f" ({self.adders:,} new)"
            return f"{self.defects:,} defects{new}" + (
                "" if self.inspected_dies is None else f", {self.inspected_dies:,} dies"
            )
        if self.dies is not None:
            rows, columns = self.dies
            return f"{rows} × {columns} dies, {self.failed_dies:,} of {self.inspected_dies:,} failed"
        return f"{self.bands} bands"

    @property
    def extent(self) -> str:
        """In words, such as '300 mm' or '4992 × 3328 px'."""
        capture = self.capture
        if capture.kind is CaptureKind.WAFER:
            return f"{capture.width / 1000:g} mm"
        return f"{capture.width:.0f} × {capture.height:.0f} px"


def describe(
    uri: str | Path, *, limits: Limits | None = None, options: ReadOptions | None = None
) -> Iterator[Description]:
    """Describe every capture of a file.

    Raises:
        InputError: as `open_captures` does.
    """
    for reader in open_captures(uri, limits=limits, options=options):
        yield describe_capture(reader)


def describe_capture(reader: CaptureReader) -> Description:
    """Describe one open capture."""
    capture, warnings = reader.capture, reader.warnings
    match reader:
        case PointReader(points=points):
            inspected = None if points.inspected is None else len(points.inspected)
            adders = points.columns.get("ADDERFLAG")
            return Description(
                capture,
                reader.format,
                defects=len(points),
                adders=None if adders is None else int(np.count_nonzero(adders == 1)),
                inspected_dies=inspected,
                warnings=warnings,
            )
        case DieReader(dies=dies):
            states = dies.states
            return Description(
                capture,
                reader.format,
                dies=(states.shape[0], states.shape[1]),
                inspected_dies=int(np.count_nonzero(states != NO_DIE)),
                failed_dies=int(np.count_nonzero(states == FAIL)),
                warnings=warnings,
            )
        case ImageReader(shape=(_, _, bands)):
            return Description(capture, reader.format, bands=bands, warnings=warnings)
    return Description(capture, reader.format, warnings=warnings)
