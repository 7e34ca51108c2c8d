"""A picture for people: one simulated wafer of each pattern.

Run `python -m pipelines.simulate.gallery gallery.png` to draw it.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from pipelines.simulate.patterns import DRAWINGS, UNKNOWN_PATTERNS
from pipelines.simulate.wafer import SimulatedWafer, sample

_COLUMNS = 6
_INK, _SILICON, _UNSEEN, _UNKNOWN = "#0b3c5d", "#eef1f4", "#ffffff", "#b34700"
"""Dark blue on light grey; orange for unknown patterns: told apart with any colour vision, and in print."""

_DOTS = 30_000
"""Up to so many defects each is a dot; beyond, dots would hide each other and the density is drawn."""


def draw_gallery(
    path: Path,
    *,
    patterns: Sequence[str] = tuple(DRAWINGS),
    defects: int = 3_000,
    seed: int = 0,
    columns: int = _COLUMNS,
) -> None:
    """Draw one wafer per pattern into a PNG file.

    Args:
        path: where to write.
        patterns: names, in the order they are drawn; a name may be repeated to see its variation.
        defects: on each wafer.
        seed: of the first wafer; each further wafer takes the next.
        columns: wafers in a row.

    Raises:
        ConfigurationError: unknown pattern.
    """
    rows = math.ceil(len(patterns) / columns)
    figure = Figure(figsize=(2.6 * columns, 2.85 * rows + 0.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"Simulated wafers, {defects:,} defects each; orange: patterns never trained on", fontsize=13)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for number, (axes, pattern) in enumerate(zip(places, patterns, strict=False)):
        draw_wafer(axes, sample(pattern, seed + number, defects=defects))
    for axes in places[len(patterns) :]:
        axes.set_axis_off()
    figure.savefig(path, format="png")


def draw_wafer(axes: Axes, wafer: SimulatedWafer) -> None:
    """Draw one wafer: its outline with the notch, the inspected dies in grey, its defects."""
    points, layout = wafer.points, wafer.layout
    radius = points.diameter_um / 2
    width, height = layout.pitch_um
    dies = [Rectangle((x, y), width, height) for x, y in zip(*layout.corners_um(), strict=True)]
    collection = PatchCollection(dies, facecolor=_SILICON, edgecolor="none", antialiased=False)
    axes.add_collection(collection)
    outline = Circle((0, 0), radius, facecolor="none", edgecolor="#7a8691", linewidth=1)
    axes.add_patch(outline)
    collection.set_clip_path(outline)
    axes.plot([0], [-radius], marker="^", markersize=5, color="#7a8691", clip_on=False)
    if len(points) <= _DOTS:
        size = float(np.clip(2_000 / max(1, len(points)), 0.25, 9.0))
        axes.scatter(points.x_um, points.y_um, s=size, c=_INK, linewidths=0, alpha=0.85)
    else:
        axes.hist2d(
            points.x_um,
            points.y_um,
            bins=220,
            range=[[-radius, radius]] * 2,
            cmap="Blues",
            cmin=1,
            norm=LogNorm(vmin=0.3),
        )
    axes.set_xlim(-1.03 * radius, 1.03 * radius)
    axes.set_ylim(-1.06 * radius, 1.03 * radius)
    axes.set_aspect("equal")
    axes.set_axis_off()
    title_colour = _UNKNOWN if wafer.pattern in UNKNOWN_PATTERNS else "black"
    axes.set_title(f"{wafer.pattern} · {points.diameter_um / 1000:.0f} mm", fontsize=11, color=title_colour)


def main() -> None:
    """Draw the gallery from the command line."""
    parser = argparse.ArgumentParser(description="Draw one simulated wafer of each pattern into a PNG file.")
    parser.add_argument("path", type=Path, help="PNG file to write")
    parser.add_argument("--defects", type=int, default=3_000, help="defects on each wafer (default: 3000)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other wafers (default: 0)")
    parser.add_argument("--pattern", help="draw 18 wafers of this pattern instead of one of each")
    arguments = parser.parse_args()
    patterns = [arguments.pattern] * 18 if arguments.pattern else tuple(DRAWINGS)
    draw_gallery(arguments.path, patterns=patterns, defects=arguments.defects, seed=arguments.seed)


if __name__ == "__main__":
    main()
