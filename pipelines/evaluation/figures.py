"""Pictures of an evaluation: confusion matrix, reliability, worst errors."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines.evaluation.report import Report


def confusion_figure(report: Report) -> Figure:
    """Row-normalised confusion matrix: how each true class was stated, "unknown" last; counts in the cells."""
    names = [row.name for row in report.classes]
    counts = np.array(report.confusion, dtype=float).reshape(len(names), -1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = 1.5 + 0.5 * len(names)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names) + 1), [*names, "unknown"], rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("stated", fontsize=8)
    axes.set_ylabel("true", fontsize=8)
    axes.set_title(report.protocol, fontsize=7)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{int(counts[row, column])}", ha="center", va="center", fontsize=6, color=colour)
    return figure


def reliability_figure(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> Figure:
    """Accuracy over stated probability; on the diagonal a probability means what it says."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    total = np.bincount(place, minlength=bins)
    filled = total > 0
    mean = np.bincount(place, confidence, bins)[filled] / total[filled]
    accuracy = np.bincount(place, right, bins)[filled] / total[filled]
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.plot(mean, accuracy, marker="o")
    for x, y, count in zip(mean, accuracy, total[filled], strict=True):
        axes.annotate(f"{count:,}", (x, y), fontsize=6, textcoords="offset points", xytext=(4, -8))
    axes.set_xlabel("stated probability")
    axes.set_ylabel("share that was right")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    return figure


def errors_figure(pictures: list[NDArray[np.uint8]], captions: list[str]) -> Figure:
    """The most confident errors as pictures, each with what it is and what was stated."""
    columns = 8
    rows = max(1, -(-len(pictures) // columns))
    figure = Figure(figsize=(columns * 1.4, rows * 1.7), layout="constrained")
    for axis in figure.subplots(rows, columns, squeeze=False).flat:
        axis.axis("off")
    for axis, picture, caption in zip(figure.axes, pictures, captions, strict=False):
        axis.imshow(picture, interpolation="nearest", cmap="inferno", vmin=0, vmax=255)
        axis.set_title(caption, fontsize=6)
    return figure
