"""Pictures of an evaluation: confusion matrix, ROC and precision-recall, reliability, embedding map, worst errors."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from pipelines.evaluation.operating import Curve, operating
from pipelines.evaluation.report import Report


def confusion_figure(report: Report) -> Figure:
    """Row-normalised confusion matrix: how each true class was stated, in percent, "unknown" last; counts below."""
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
            text = f"{100 * share:.0f}\n({int(counts[row, column])})"
            axes.text(column, row, text, ha="center", va="center", fontsize=5.5, color=colour)
    return figure


def curves_of_classes_figure(curves: Sequence[Curve]) -> Figure:
    """ROC curve (false alarms on a root scale: the left is what counts) and precision over recall of every class.

    The dot is the point nearest to the corner, the cross the one within the stated limit of false alarms.
    """
    figure = Figure(figsize=(11, 5), layout="constrained")
    roc, pr = figure.subplots(1, 2)
    for curve in curves:
        found = operating(curve)
        (line,) = roc.plot(curve.false_alarms, curve.recall, linewidth=1.2, label=f"{curve.name} {found.auroc:.3f}")
        for point, mark in ((found.nearest, "o"), (found.at_limit, "x")):
            roc.plot(point.false_alarms, point.recall, mark, color=line.get_color(), markersize=5)
        pr.plot(curve.found, curve.precision, linewidth=1.2, label=f"{curve.name} {found.average_precision:.3f}")
    roc.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    ticks = (0, 0.01, 0.05, 0.2, 0.5, 1)
    roc.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
    roc.set(xlabel="other patches called it", ylabel="its patches found", xlim=(0, 1), ylim=(0, 1.01))
    pr.set(xlabel="its patches found", ylabel="share of what is called it that is", xlim=(0, 1), ylim=(0, 1.01))
    for axes, title in ((roc, "ROC, with area"), (pr, "precision over recall, with average precision")):
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="lower right" if axes is roc else "lower left")
    return figure


def embedding_figure(
    embeddings: NDArray[np.float32], shown: Sequence[str], refused: NDArray[np.bool_], *, seed: int = 0
) -> Figure:
    """The embeddings in two dimensions by t-SNE (van der Maaten & Hinton, JMLR 9, 2008).

    Neighbours on the map are neighbours in the network's eyes; distances between far clusters mean nothing.

    Args:
        embeddings: (N, D), N at least 4.
        shown: (N,), what to call each; a colour for each name.
        refused: (N,), drawn hollow.
        seed: of the layout.
    """
    scaled = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    perplexity = min(30.0, (len(scaled) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed, max_iter=500).fit_transform(scaled)
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots()
    names = np.asarray(shown)
    for number, name in enumerate(sorted(set(shown))):
        own = names == name
        colour, marker = f"C{number % 10}", "o" if number < 10 else "s"
        stated, hollow = places[own & ~refused], places[own & refused]
        axes.scatter(stated[:, 0], stated[:, 1], s=9, color=colour, marker=marker, label=name)
        axes.scatter(hollow[:, 0], hollow[:, 1], s=14, facecolors="none", edgecolors=colour, marker=marker)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"{len(scaled):,} test patches as the network sees them (t-SNE); hollow = refused", fontsize=9)
    axes.legend(fontsize=7, markerscale=2)
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
