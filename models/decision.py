"""The one place where a belief becomes a statement; evaluation and serving call the same `decide`. No torch."""

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from models.domain.tiling import Window
from models.domain.verdict import Labels, Prediction, Reason, Verdict
from models.manifest import Thresholds

PRESENT = 0.5
"""Where several patterns may lie on one window, one is believed from this probability on."""


def decide(window: Window, prediction: Prediction, labels: Labels, thresholds: Thresholds) -> Verdict:
    """State what lies in `window`, or refuse to.

    Novelty is judged before confidence: logits of strangers are often confident, so a high probability must not
    overrule it (design of the open set: Scheirer et al., TPAMI 2013; confidently wrong strangers: Nguyen et al., CVPR
    2015). Where labels are not exclusive, every pattern is a decision of its own and the least sure of them decides
    whether the window is `UNSURE`.

    Args:
        window: where.
        prediction: calibrated belief; `probabilities` (K,) in the order of `labels.names`.
        labels: what the outputs mean.
        thresholds: of the bundle.

    Raises:
        ConfigurationError: the prediction does not have one finite probability for each label, or no finite novelty.
    """
    probabilities = prediction.probabilities
    if (
        probabilities.shape != (len(labels.names),)
        or not np.isfinite(probabilities).all()
        or not np.isfinite(prediction.novelty)
    ):
        raise ConfigurationError(
            "prediction does not fit the labels",
            expected=f"{len(labels.names)} finite probabilities and a finite novelty",
            got=f"{probabilities!r}, novelty {prediction.novelty}",
            remedy="check that bundle and classifier belong together",
        )
    order = np.argsort(-probabilities, kind="stable")
    likeliest = labels.names[order[0]]
    stated, confidence, sureness, also = _statement(probabilities, order, labels)
    if prediction.novelty > thresholds.novelty_for(likeliest):
        reason = Reason.NOVEL
    elif sureness < thresholds.confidence or stated is None:
        reason = Reason.UNSURE
    else:
        reason = Reason.CONFIDENT
    known = reason is Reason.CONFIDENT
    return Verdict(
        window=window,
        label=stated if known else None,
        confidence=confidence,
        novelty=prediction.novelty,
        reason=reason,
        likeliest=stated or likeliest,
        runner_up=labels.names[order[1]] if len(order) > 1 else None,
        runner_up_confidence=float(probabilities[order[1]]) if len(order) > 1 else 0.0,
        also=also if known else (),
    )


def not_inspected(window: Window) -> Verdict:
    """The verdict of a window no tool looked at: nothing is stated, and that is not strange."""
    return Verdict(window=window, label=None, confidence=0.0, novelty=0.0, reason=Reason.NOT_INSPECTED)


def _statement(
    probabilities: NDArray[np.float32], order: NDArray[np.intp], labels: Labels
) -> tuple[str | None, float, float, tuple[str, ...]]:
    """What would be stated, its probability, how sure the least sure part of it is, and further patterns."""
    top = float(probabilities[order[0]])
    if labels.exclusive:
        return labels.names[order[0]], top, top, ()
    sureness = float(np.maximum(probabilities, 1 - probabilities).min())
    if top < PRESENT:
        return labels.normal, 1 - top, sureness, ()
    also = tuple(labels.names[i] for i in order[1:] if probabilities[i] >= PRESENT)
    return labels.names[order[0]], top, sureness, also
