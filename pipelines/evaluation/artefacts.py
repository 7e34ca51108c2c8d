"""An examination as files anyone can open: report.json, card.md, card.html, and pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.dataset.samples import DatasetKind
from pipelines.evaluation.card import Section, html, markdown
from pipelines.evaluation.evaluate import Examination
from pipelines.evaluation.figures import confusion_figure, errors_figure, reliability_figure

_ERRORS = 40


def write_artefacts(directory: Path, examination: Examination, card: Sequence[Section]) -> None:
    """Write everything; older files of the same names are replaced.

    Args:
        directory: made if missing.
        examination: what was found.
        card: the model card's parts.
    """
    directory.mkdir(parents=True, exist_ok=True)
    report, judged = examination.report, examination.judged
    (directory / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")
    (directory / "card.md").write_text(markdown(card), encoding="utf-8")
    (directory / "card.html").write_text(html(card), encoding="utf-8")
    if not report.confusion:
        return
    confusion_figure(report).savefig(directory / "confusion.png", dpi=130)
    known = examination.patches.known
    right = (judged.forced == examination.patches.targets).all(1)
    reliability_figure(judged.confidence[known], right[known]).savefig(directory / "reliability.png", dpi=130)
    pictures, captions = worst_errors(examination)
    errors_figure(pictures, captions).savefig(directory / "errors.png", dpi=110)


def worst_errors(examination: Examination) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """The errors the model was surest of, with what each is and what it was called."""
    patches, judged = examination.patches, examination.judged
    names = patches.labels.names
    wrong = patches.known & (judged.forced != patches.targets).any(1)
    order = np.argsort(-judged.confidence, kind="stable")
    rows = order[wrong[order]][:_ERRORS]
    captions = [
        f"{names[patches.index[i]]}\ncalled {names[judged.forced[i].argmax()]} {judged.confidence[i]:.2f}" for i in rows
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
