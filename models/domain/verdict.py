"""What the network believes (prediction) and what we state (verdict)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from models.domain.tiling import Window


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes a bundle knows, in the order of its outputs.

    Attributes:
        names: class names, at least one, all different.
        normal: the one that means "nothing to act on", or None if there is none.
        exclusive: True if a window has exactly one label; False if several patterns may lie on one window (then the
            normal label is not among `names`' outputs: it is stated when no pattern is believed).
    """

    names: tuple[str, ...]
    normal: str | None = None
    exclusive: bool = True

    def __post_init__(self) -> None:
        """Check the names once.

        Raises:
            ConfigurationError: no names, repeated names, or an exclusive normal label that is not a name.
        """
        if not self.names or len(set(self.names)) != len(self.names):
            raise ConfigurationError("bad labels", expected="at least one name, all different", got=repr(self.names))
        if self.exclusive and self.normal is not None and self.normal not in self.names:
            raise ConfigurationError("unknown normal label", expected=" | ".join(self.names), got=self.normal)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the network believes of one patch.

    Attributes:
        probabilities: float32 (K,), calibrated; sums to 1 if labels are exclusive.
        embedding: float32 (D,), the penultimate features.
        novelty: higher is stranger.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    novelty: float


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predictions of N patches as arrays: probabilities (N, K), embeddings (N, D), novelty (N,), all float32."""

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    novelty: NDArray[np.float32]

    @staticmethod
    def joined(parts: "Sequence[Predictions]") -> "Predictions":
        """Those of all parts, in order; at least one part."""
        if len(parts) == 1:
            return parts[0]
        columns = ((part.probabilities, part.embeddings, part.novelty) for part in parts)
        return Predictions(*map(np.concatenate, zip(*columns, strict=True)))

    def __len__(self) -> int:
        """Number of patches."""
        return len(self.novelty)

    def __getitem__(self, rows: slice) -> "Predictions":
        """Those of some patches."""
        return Predictions(self.probabilities[rows], self.embeddings[rows], self.novelty[rows])

    def __iter__(self) -> Iterator[Prediction]:
        """One prediction after the other."""
        for probabilities, embedding, novelty in zip(self.probabilities, self.embeddings, self.novelty, strict=True):
            yield Prediction(probabilities, embedding, float(novelty))


class Reason(StrEnum):
    """Why a verdict is what it is."""

    CONFIDENT = "confident"
    UNSURE = "unsure"
    """No class is likely enough: unknown."""
    NOVEL = "novel"
    """It resembles nothing the model was trained on: unknown."""
    NOT_INSPECTED = "not inspected"
    """No tool looked at this window: unknown, and not strange."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we state of a window.

    Attributes:
        window: where.
        label: the class, or None = unknown.
        confidence: calibrated probability of the likeliest class, 0..1, also when the verdict is unknown.
        novelty: higher is stranger; compare with the bundle's threshold.
        reason: why this label, or why none.
        likeliest: the likeliest class, stated or not: the label an unknown would have been forced into.
        runner_up: second likeliest class, if there is one.
        runner_up_confidence: its probability.
        also: further patterns on the same window, where labels are not exclusive.
    """

    window: Window
    label: str | None
    confidence: float
    novelty: float
    reason: Reason
    likeliest: str | None = None
    runner_up: str | None = None
    runner_up_confidence: float = 0.0
    also: tuple[str, ...] = ()

    @property
    def is_unknown(self) -> bool:
        """True if an inspected window was refused a label."""
        return self.label is None and self.reason is not Reason.NOT_INSPECTED
