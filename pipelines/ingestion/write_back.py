"""A tool's KLARF file with our verdicts in it, for the systems that read what the tool wrote.

The file is a new one in the same dialect (`formats.klarf.verdicts` says what is added). A pattern's defects are those
in the windows that state it, on the finest level that does: where only the whole wafer was judged, all of them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.domain.inspection import Inspection
from models.domain.verdict import Labels, Verdict
from pipelines.ingestion.formats.klarf import (
    Author,
    Klarf,
    ReservedClasses,
    Signature,
    WaferVerdict,
    read_klarf,
    with_verdicts,
)
from pipelines.ingestion.formats.klarf.model import Wafer
from pipelines.ingestion.formats.wafer_frame import ordinals_with_place, place_wafer
from pipelines.ingestion.options import ReadOptions
from pipelines.ingestion.wafer_maps import PointMap


def judged_klarf(
    path: Path, inspections: Mapping[int, Inspection], labels: Labels, options: ReadOptions | None = None
) -> Klarf:
    """The file with the verdicts of its wafers, to be written under a new name.

    Args:
        path: the tool's file.
        inspections: ordinal of the wafer in the file -> what was found, all with one bundle; at least one.
        labels: of that bundle; they get the reserved class numbers in this order.
        options: how the file was read.

    Raises:
        InputError: the file is no KLARF file we read, or does not have such a wafer.
        ConfigurationError: it uses a reserved class number for something else.
    """
    options = options or ReadOptions()
    klarf = read_klarf(path, mode="lenient" if options.lenient else "strict")
    verdicts = [
        WaferVerdict(ordinal, whole.label, whole.confidence, tuple(_signatures(klarf.wafers[ordinal], found, options)))
        for ordinal, found in sorted(inspections.items())
        if (whole := found.verdict).is_unknown or whole.label is not None
    ]
    bundle = next(iter(inspections.values())).bundle
    names = labels.names
    if labels.normal is not None and labels.normal not in names:
        names = (*names, labels.normal)
    return with_verdicts(klarf, verdicts, Author(bundle.name, bundle.version, bundle.digest), ReservedClasses(names))


def _signatures(wafer: Wafer, found: Inspection, options: ReadOptions) -> Iterator[Signature]:
    """One for each pattern, the unknown among them; the normal label is no pattern."""
    points = place_wafer(wafer, found.capture.name, options.tools.get(wafer.provenance.tool or "")).content
    assert isinstance(points, PointMap), "a KLARF file holds points"
    ordinals = ordinals_with_place(wafer)
    stated: dict[str | None, dict[int, list[Verdict]]] = {}
    for verdict in found.verdicts:
        if verdict.is_unknown or verdict.label not in (None, found.normal):
            for label in (verdict.label, *verdict.also):
                stated.setdefault(label, {}).setdefault(verdict.window.level.index, []).append(verdict)
    for label, levels in sorted(stated.items(), key=lambda one: one[0] or ""):
        inside = _inside(points, levels[max(levels)])
        yield Signature(label, ordinals[inside])


def _inside(points: PointMap, verdicts: list[Verdict]) -> NDArray[np.bool_]:
    """(N,) which defects lie in one of the windows."""
    half = points.diameter_um / 2
    down, right = (half - points.y_um) / points.diameter_um, (points.x_um + half) / points.diameter_um
    inside = np.zeros(len(points), np.bool_)
    for window in (verdict.window for verdict in verdicts):
        height, width = window.level.height, window.level.width
        inside |= (
            (down >= window.top / height)
            & (down < window.bottom / height)
            & (right >= window.left / width)
            & (right < window.right / width)
        )
    return inside
