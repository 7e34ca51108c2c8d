"""What a bundle remembers of its training: reference embeddings, the fitted novelty score, calibration figures.

Plain arrays, written as one safetensors file; no pickle, no torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError

NOVELTY_PREFIX = "novelty."
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How the model judged M held-out known windows; from it any threshold's effect can be previewed.

    Attributes:
        truth: int64 (M,), index of the true class; -1 where labels are not exclusive.
        predicted: int64 (M,), index of the likeliest class.
        confidence: float32 (M,), its calibrated probability.
        novelty: float32 (M,), higher is stranger.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float32]
    novelty: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check that the columns belong together.

        Raises:
            ConfigurationError: they differ in length or are not vectors.
        """
        _same_length(
            "calibration",
            truth=self.truth,
            predicted=self.predicted,
            confidence=self.confidence,
            novelty=self.novelty,
        )


def no_calibration() -> Calibration:
    """A calibration of nothing."""
    return Calibration(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """Novelty of known windows of lots the score had not seen: what novelty thresholds are set by.

    More than the held-out windows of `Calibration` where the score can be fitted again without each lot in turn.

    Attributes:
        novelty: float32 (M,), higher is stranger.
        classes: int64 (M,), index of the likeliest class, or of the true one of windows the network was trained on.
        weights: float32 (M,), what each counts; mean 1.
    """

    novelty: NDArray[np.float32]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check that the columns belong together.

        Raises:
            ConfigurationError: they differ in length or are not vectors.
        """
        _same_length("yardstick", novelty=self.novelty, classes=self.classes, weights=self.weights)

    @classmethod
    def of(cls, calibration: Calibration) -> Self:
        """The held-out windows alone, all alike."""
        return cls(calibration.novelty, calibration.predicted, np.ones(len(calibration.novelty), np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Where held-out known windows lie in the latent space: what the model sees when nothing has changed.

    Held-out ones, because a network places what it was trained on tighter than anything new.

    Attributes:
        embeddings: float32 (P, D).
        predicted: int64 (P,), index of the likeliest class.
    """

    embeddings: NDArray[np.float32]
    predicted: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that the columns belong together.

        Raises:
            ConfigurationError: they differ in length.
        """
        if self.embeddings.ndim != 2 or self.predicted.shape != self.embeddings.shape[:1]:
            raise ConfigurationError(
                "population is inconsistent",
                expected="embeddings (P, D) and P classes",
                got=f"{self.embeddings.shape} and {self.predicted.shape}",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Known examples in the latent space and what was fitted on them.

    Attributes:
        embeddings: float32 (R, D), as `Classifier.predict` returns them.
        labels: int64 (R,), class index; -1 where labels are not exclusive.
        groups: R names of the lot or flight each example is from.
        ids: R sample ids, with which the dataset finds the picture.
        novelty: arrays of the fitted score, see `models.open_set.arrays_of`; scores of logits have none.
        calibration: judged held-out windows.
        yardstick: what novelty thresholds are set by.
        pictures: uint8 (R, S, S, C), each example small, for people to look at; None = not kept.
        population: held-out windows, to tell drift by; None = not kept.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: tuple[str, ...]
    ids: tuple[str, ...]
    novelty: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=no_calibration)
    yardstick: Yardstick = field(default_factory=lambda: Yardstick.of(no_calibration()))
    pictures: NDArray[np.uint8] | None = None
    population: Population | None = None

    def __post_init__(self) -> None:
        """Check that every example has all its parts.

        Raises:
            ConfigurationError: they differ in number.
        """
        count = len(self.labels)
        if (
            self.embeddings.ndim != 2
            or self.labels.ndim != 1
            or {len(self.embeddings), len(self.groups), len(self.ids)} != {count}
            or (self.pictures is not None and (self.pictures.ndim != 4 or len(self.pictures) != count))
        ):
            raise ConfigurationError(
                "reference is inconsistent",
                expected="embeddings (R, D) and R labels, groups, ids and pictures",
                got=f"{self.embeddings.shape}, {self.labels.shape}, {len(self.groups)} groups, {len(self.ids)} ids",
            )


def reference_arrays(reference: Reference) -> dict[str, NDArray[np.generic]]:
    """Flatten for a safetensors file; inverse of `reference_from_arrays`."""
    calibration = reference.calibration
    arrays: dict[str, NDArray[np.generic]] = {
        "embeddings": _exact(reference.embeddings, np.float32),
        "labels": _exact(reference.labels, np.int64),
        "groups": _text_to_bytes(reference.groups),
        "ids": _text_to_bytes(reference.ids),
        "calibration.truth": _exact(calibration.truth, np.int64),
        "calibration.predicted": _exact(calibration.predicted, np.int64),
        "calibration.confidence": _exact(calibration.confidence, np.float32),
        "calibration.novelty": _exact(calibration.novelty, np.float32),
        "yardstick.novelty": _exact(reference.yardstick.novelty, np.float32),
        "yardstick.classes": _exact(reference.yardstick.classes, np.int64),
        "yardstick.weights": _exact(reference.yardstick.weights, np.float32),
    }
    for name, array in reference.novelty.items():
        arrays[NOVELTY_PREFIX + name] = _exact(array, np.float32)
    if reference.pictures is not None:
        arrays["pictures"] = _exact(reference.pictures, np.uint8)
    if reference.population is not None:
        arrays["population.embeddings"] = _exact(reference.population.embeddings, np.float32)
        arrays["population.predicted"] = _exact(reference.population.predicted, np.int64)
    return arrays


def reference_from_arrays(arrays: Mapping[str, NDArray[np.generic]], where: str) -> Reference:
    """Rebuild a reference from the arrays of a safetensors file.

    Raises:
        ConfigurationError: an array is missing or the arrays do not fit together.
    """
    try:
        calibration = Calibration(
            truth=_exact(arrays["calibration.truth"], np.int64),
            predicted=_exact(arrays["calibration.predicted"], np.int64),
            confidence=_exact(arrays["calibration.confidence"], np.float32),
            novelty=_exact(arrays["calibration.novelty"], np.float32),
        )
        return Reference(
            embeddings=_exact(arrays["embeddings"], np.float32),
            labels=_exact(arrays["labels"], np.int64),
            groups=_bytes_to_text(arrays["groups"]),
            ids=_bytes_to_text(arrays["ids"]),
            novelty={
                name.removeprefix(NOVELTY_PREFIX): _exact(array, np.float32)
                for name, array in arrays.items()
                if name.startswith(NOVELTY_PREFIX)
            },
            calibration=calibration,
            yardstick=Yardstick(
                novelty=_exact(arrays["yardstick.novelty"], np.float32),
                classes=_exact(arrays["yardstick.classes"], np.int64),
                weights=_exact(arrays["yardstick.weights"], np.float32),
            )
            if "yardstick.novelty" in arrays  # bundles written before there was one have none
            else Yardstick.of(calibration),
            pictures=_exact(arrays["pictures"], np.uint8) if "pictures" in arrays else None,
            population=Population(
                _exact(arrays["population.embeddings"], np.float32), _exact(arrays["population.predicted"], np.int64)
            )
            if "population.embeddings" in arrays
            else None,
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ConfigurationError(
            "cannot read reference",
            where=where,
            expected="embeddings, labels, groups, ids and calibration",
            got=repr(error),
            remedy="write the bundle again with save_bundle",
        ) from error


def _same_length(what: str, **columns: NDArray[np.generic]) -> None:
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ConfigurationError(f"{what} is inconsistent", expected="vectors of one length", got=str(shapes))


def _exact(array: NDArray[np.generic], dtype: type[Number]) -> NDArray[Number]:
    return np.ascontiguousarray(array, dtype=dtype)


def _text_to_bytes(texts: tuple[str, ...]) -> NDArray[np.uint8]:
    # safetensors holds numbers only; JSON keeps any text and needs no separator of its own
    return np.frombuffer(json.dumps(list(texts), ensure_ascii=False).encode(), dtype=np.uint8)


def _bytes_to_text(array: NDArray[np.generic]) -> tuple[str, ...]:
    content = json.loads(_exact(array, np.uint8).tobytes().decode())
    if not isinstance(content, list) or not all(isinstance(text, str) for text in content):
        raise ValueError("expected a JSON list of texts")
    return tuple(content)
