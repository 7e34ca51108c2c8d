"""A review as a table, as JSON and as a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from rich.console import Console, Group, RenderableType
from rich.table import Table

from pipelines.care.check import Kind, Review, near_rows
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.samples import DatasetKind
from pipelines.dataset.split import SPLITS
from pipelines.evaluation.artefacts import picture_of
from pipelines.evaluation.table import percent

_COLOURS = {Kind.LEAK: "bold red", Kind.WARNING: "yellow", Kind.REMARK: "dim"}
_PAIRS = 8


def review_table(found: Review) -> RenderableType:
    """Findings, lots of each class, and the floor."""
    findings = Table("", "finding", "such as", title=f"{found.dataset}: data before training", title_justify="left")
    for finding in found.findings:
        style = _COLOURS[finding.kind]
        findings.add_row(f"[{style}]{finding.kind}[/]", finding.what, "\n".join(finding.examples[:3]))
    lots = Table("class", title=f"{found.grouped_by}s that hold each class", title_justify="left")
    for split in SPLITS:
        lots.add_column(split, justify="right")
    for name, counted in found.groups.items():
        lots.add_row(name, *(f"{counted[split]:,}" for split in SPLITS))
    floor = [
        f"floor: {rule.rule}: macro-F1 {rule.macro_f1:.3f}, accuracy {percent(rule.accuracy)}" for rule in found.floor
    ]
    return Group(findings, lots, *floor)


def print_review(found: Review, console: Console | None = None) -> None:
    """Print the table; by default to standard output."""
    (console or Console()).print(review_table(found))


def review_figure(found: Review, patches: PatchSet, kind: DatasetKind) -> Figure:
    """How many patches and lots each class has in each split; below, the likest pairs across splits.

    Args:
        found: the review.
        patches: it is of, for the pictures.
        kind: what the patches show.
    """
    alike = any(found.near.values())
    figure = Figure(figsize=(11, 6.5 if alike else 4), layout="constrained")
    grid = figure.add_gridspec(3 if alike else 1, _PAIRS, height_ratios=(4, 1.2, 1.2) if alike else (1,))
    figure.suptitle(
        f"{found.dataset}, split by {found.grouped_by}: {len(found.leaks)} leaks\n"
        f"{'below: the likest pairs, training over other split' if alike else 'no near repeats across splits'}",
        fontsize=9,
    )
    known, names = patches.only(patches.known), list(found.groups)
    counts = {split: known.strata[known.splits == split].sum(0) for split in SPLITS}
    lots = {split: [found.groups[name][split] for name in names] for split in SPLITS}
    half = _PAIRS // 2
    _bars(figure.add_subplot(grid[0, :half]), "patches", names, counts)
    figure.axes[0].legend(fontsize=7)
    _bars(figure.add_subplot(grid[0, half:]), f"{found.grouped_by}s", names, lots)
    pairs = np.concatenate([near_rows(found, split, _PAIRS) for split in found.near])[:_PAIRS]
    for column, rows in enumerate(pairs):
        for line, row in enumerate(rows, start=1):
            axes = figure.add_subplot(grid[line, column])
            axes.axis("off")
            named = "+".join(np.asarray(patches.labels.names)[patches.targets[row] > 0]) or "nothing"
            shown = picture_of(patches.pixels[row], kind)
            axes.imshow(shown, interpolation="nearest", cmap="inferno", vmin=0, vmax=255)
            axes.set_title(f"{named} · {patches.splits[row]}", fontsize=6)
    return figure


def _bars(axes: Axes, title: str, names: Sequence[str], heights: Mapping[str, ArrayLike]) -> None:
    width = 0.8 / len(heights)
    for number, (split, values) in enumerate(heights.items()):
        axes.bar(np.arange(len(names)) + number * width, values, width, label=split)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xticks(np.arange(len(names)) + width, names, rotation=45, ha="right", fontsize=8)
    axes.set_title(title, fontsize=9)


def write_review(directory: Path, found: Review, patches: PatchSet, kind: DatasetKind) -> None:
    """Write `data.json` and `data.png`."""
    directory.mkdir(parents=True, exist_ok=True)
    content = asdict(found) | {"near": {split: len(pairs) for split, pairs in found.near.items()}}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (directory / "data.json").write_text(text + "\n", encoding="utf-8")
    review_figure(found, patches, kind).savefig(directory / "data.png", dpi=120)
