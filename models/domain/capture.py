"""A capture: one inspected picture (a wafer defect map or an aerial image), without its pixels."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.domain.errors import InputError


class CaptureKind(StrEnum):
    """What was inspected."""

    WAFER = "wafer"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who inspected what, where and when, as far as the file says (None = it does not).

    `inspected_at` is in the tool's local time without zone, because wafer files carry none.
    """

    lot: str | None = None
    wafer: str | None = None
    slot: int | None = None
    product: str | None = None
    step: str | None = None
    tool: str | None = None
    inspected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Georeference:
    """Where an image lies on Earth: CRS as WKT and the six affine terms (a, b, c, d, e, f) from (column, row)."""

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Capture:
    """One inspected picture.

    Attributes:
        id: content hash, hex; equal bytes give equal ids (see `capture_id`).
        kind: wafer or image.
        name: what people call it: file name, and lot/wafer where there are several.
        height: extent from top to bottom; micrometres for a wafer (its diameter), pixels for an image.
        width: extent from left to right; same unit.
        provenance: who, when, where.
        georeference: for images that carry a CRS.
    """

    id: str
    kind: CaptureKind
    name: str
    height: float
    width: float
    provenance: Provenance = field(default_factory=Provenance)
    georeference: Georeference | None = None

    def __post_init__(self) -> None:
        """Refuse captures without extent.

        Raises:
            InputError: height or width is not a positive finite number.
        """
        if not (0 < self.height < float("inf") and 0 < self.width < float("inf")):
            raise InputError(
                "capture has no extent",
                where=self.name,
                expected="positive finite height and width",
                got=f"{self.height} x {self.width}",
            )

    @property
    def unit(self) -> str:
        """Unit of height and width: 'um' for a wafer, 'px' for an image."""
        return "um" if self.kind is CaptureKind.WAFER else "px"


@dataclass(frozen=True, slots=True)
class ReadWarning:
    """Something odd in a file that was read nevertheless.

    Attributes:
        code: stable kebab-case name.
        message: one line for people.
        line: of the file, from 1, where there is one.
    """

    code: str
    message: str
    line: int | None = None


def capture_id(content_sha256: str, ordinal: int = 0, count: int = 1, told: str = "") -> str:
    """Identity of the `ordinal`-th of `count` captures in a file with this content hash.

    A file with one capture lends it its own hash, so the id can be checked with `sha256sum`.

    Args:
        content_sha256: of the file, hex.
        ordinal: from 0.
        count: of captures in the file.
        told: what the file does not say and was read into it, such as mirrored coordinates: the same bytes are then
            another capture.
    """
    if count == 1 and not told:
        return content_sha256
    return hashlib.sha256(f"{content_sha256}#{ordinal}{told and '#'}{told}".encode()).hexdigest()
