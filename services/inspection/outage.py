"""Telling outages from failures: what the job needs may be down, and then the job is not to blame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError, RetryableError, WaferwatchError
from models.domain.scenes import Patches
from models.domain.verdict import Predictions
from models.manifest import BundleManifest
from services.exhaustion import Resource
from services.inspection.judging import PatchClassifier

Asked = TypeVar("Asked")


class Classifiers(Protocol):
    """The classifier of a route, as it is now."""

    def __call__(self, route: str, /, *, is_shadow: bool = False) -> PatchClassifier:
        """Find it; a shadow's calls give way to all others.

        Raises:
            RetryableError: there is none yet.
            ConfigurationError: its bundle is not sound.
        """


OUTAGES = frozenset(
    {"database-unavailable", "spool-missing", "decoder-starved"}
    | {f"out-of-{resource.value}" for resource in Resource if resource is not Resource.MEMORY}
)
"""Codes of errors that no job is to blame for, wherever they come from. Memory is missing: the file may be too big."""


def is_outage(error: Exception) -> bool:
    """Whether a try failed for want of something that will come back."""
    return isinstance(error, RetryableError) and error.code in OUTAGES


class Outage(Exception):  # noqa: N818 - it carries the error, and is none that leaves this package
    """No classifier: try again when there is one, and do not count the try."""

    def __init__(self, cause: WaferwatchError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Guarded:
    classifier: PatchClassifier
    manifest: BundleManifest

    def classify(self, patches: Patches) -> Predictions:
        return _told(self.classifier.classify, patches)

    def classify_block(self, pixels: NDArray[np.uint8]) -> Predictions:
        return _told(self.classifier.classify_block, pixels)


def _told(ask: Callable[[Asked], Predictions], asked: Asked) -> Predictions:
    try:
        return ask(asked)
    except (RetryableError, ConfigurationError) as error:
        raise Outage(error) from error


def guarded(classifiers: Classifiers, route: str) -> PatchClassifier:
    """The classifier of a route, speaking for one bundle from now on, whose outages are told apart.

    Raises:
        Outage: there is none, or its bundle is not sound.
    """
    try:
        classifier = classifiers(route)
        return _Guarded(classifier, classifier.manifest)
    except (RetryableError, ConfigurationError) as error:
        raise Outage(error) from error
