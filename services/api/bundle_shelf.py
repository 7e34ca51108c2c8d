"""What installed bundles say of themselves, by digest: their classes, and the limits a verdict was held against."""

import logging
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from models.manifest import read_manifest

_KEPT = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a label needs.

    Attributes:
        confidence: least confidence, 0..1.
        novelty: largest novelty for a window whose likeliest class is the one asked for.
    """

    confidence: float
    novelty: float


class BundleShelf:
    """Reads manifests of installed bundles (`<folder>/<digest>/bundle.json`); needs no torch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: OrderedDict[tuple[str, str], Limits] = OrderedDict()

    def labels(self, digest: str) -> Labels:
        """The classes of an installed bundle.

        Raises:
            ConfigurationError: it is not installed on this machine.
        """
        return read_manifest(self._folder / digest).labels

    def names(self, digest: str) -> tuple[str, ...]:
        """The classes a bundle knows; none if it is not installed on this machine."""
        folder = self._folder / digest
        if len(digest) != 64 or not folder.is_dir():
            return ()
        try:
            return self.labels(digest).names
        except ConfigurationError as error:
            _log.warning("classes of bundle %s are not shown: %s", digest, error)
            return ()

    def limits(self, digest: str, likeliest: str | None) -> Limits | None:
        """The limits a verdict was held against, or None if that bundle is not installed on this machine."""
        key = (digest, likeliest or "")
        if key in self._known:
            return self._known[key]
        folder = self._folder / digest
        if len(digest) != 64 or not folder.is_dir():
            return None
        try:
            thresholds = read_manifest(folder).thresholds
        except ConfigurationError as error:
            _log.warning("limits of bundle %s are not shown: %s", digest, error)
            return None
        limits = Limits(thresholds.confidence, thresholds.novelty_for(likeliest or ""))
        self._known[key] = limits
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return limits
