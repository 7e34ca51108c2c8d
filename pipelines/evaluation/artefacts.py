"""An examination as files anyone can open: report.json, pictures, and the card as card.md and card.html."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines.dataset.patches import PatchSet
from pipelines.dataset.samples import DatasetKind
from pipelines.evaluation.card import Section, Shown, html, markdown
from pipelines.evaluation.evaluate import Examination, curves_of
from pipelines.evaluation.figures import (
    confusion_figure,
    curves_of_classes_figure,
    embedding_figure,
    errors_figure,
    reliability_figure,
)

PICTURES = {
    "confusion.png": "Confusion",
    "errors.png": "The errors it was surest of",
    "classes.png": "Each class against the rest",
    "reliability.png": "What a probability is worth",
    "embeddings.png": "Test patches as the network sees them",
    "curves.png": "Learning curves",
    "gallery.png": "Augmented training samples: does the label survive?",
    "data.png": "Data before training",
}
"""What the card shows of the folder, in this order, and what each picture is."""

_ERRORS = 40
_MAPPED_PER_CLASS = 150
"""Of each class on the embedding map: t-SNE of 1,500 points takes seconds, of all test wafers minutes."""
_LEAST_MAPPED = 20


def write_artefacts(directory: Path, examination: Examination, card: Sequence[Section]) -> None:
    """Write everything; older files of the same names are replaced.

    Args:
        directory: made if missing.
        examination: what was found.
        card: the model card's parts.
    """
    directory.mkdir(parents=True, exist_ok=True)
    report = examination.report
    (directory / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")
    for name, figure in figures_of(examination).items():
        figure.savefig(directory / name, dpi=120)
    pictures = tuple(Shown(words, directory / name) for name, words in PICTURES.items() if (directory / name).exists())
    (directory / "card.md").write_text(markdown(card, pictures), encoding="utf-8")
    (directory / "card.html").write_text(html(card, pictures), encoding="utf-8")


def figures_of(examination: Examination) -> dict[str, Figure]:
    """File name -> picture; some need one label per patch, the map needs a few patches."""
    report, judged, patches = examination.report, examination.judged, examination.patches
    known = patches.known
    right = (judged.forced == patches.targets).all(1)
    found = {"classes.png": curves_of_classes_figure(curves_of(patches, judged))}
    if report.confusion:
        found["confusion.png"] = confusion_figure(report)
        found["reliability.png"] = reliability_figure(judged.confidence[known], right[known])
    found["errors.png"] = errors_figure(*worst_errors(examination))
    rows = _some_of_each(patches)
    if len(rows) >= _LEAST_MAPPED:
        embeddings = judged.predictions.embeddings[rows]
        found["embeddings.png"] = embedding_figure(embeddings, _names(patches, rows), judged.refused[rows])
    return found


def _some_of_each(patches: PatchSet) -> NDArray[np.int64]:
    """Rows to map: at most so many of each class or stranger, so that the rare are seen beside the common."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(patches))
    names = np.asarray(_names(patches, order))
    return np.concatenate([order[names == name][:_MAPPED_PER_CLASS] for name in np.unique(names)])


def _names(patches: PatchSet, rows: NDArray[np.int64]) -> list[str]:
    return [_name(patches, int(row)) for row in rows]


def _name(patches: PatchSet, row: int) -> str:
    if patches.unknown[row]:
        return f"stranger {patches.unknown[row]}"
    return "+".join(np.asarray(patches.labels.names)[patches.targets[row] > 0]) or patches.labels.normal or "nothing"


def worst_errors(examination: Examination) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """The errors the model was surest of, with what each is and what it was called."""
    patches, judged = examination.patches, examination.judged
    names = np.asarray(patches.labels.names)
    wrong = patches.known & (judged.forced != patches.targets).any(1)
    order = np.argsort(-judged.confidence, kind="stable")
    rows = order[wrong[order]][:_ERRORS]
    captions = [
        f"{_name(patches, int(row))}\ncalled {'+'.join(names[judged.forced[row] > 0]) or 'nothing'} "
        f"{judged.confidence[row]:.2f}"
        for row in rows
    ]
    return [picture_of(patches.pixels[i], examination.kind) for i in rows], captions


def picture_of(pixels: NDArray[np.uint8], kind: DatasetKind) -> NDArray[np.uint8]:
    """What to show of a patch: an image as it is; of a wafer its density, lifted where it was inspected.

    Args:
        pixels: uint8 (H, W, C).
        kind: what they show.

    Returns:
        uint8 (H, W) or (H, W, 3).
    """
    if kind is DatasetKind.IMAGES:
        return pixels if pixels.shape[2] == 3 else pixels[:, :, 0]
    density = pixels[:, :, 0].astype(np.uint16) * 4 // 5
    lifted: NDArray[np.uint8] = np.where(pixels[:, :, 1] > 127, density + 51, density // 2).astype(np.uint8)
    return lifted
