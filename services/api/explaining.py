"""Explanations of recorded verdicts, made when somebody asks: the bundle that judged looks at the same window again.

The API makes them itself, so a person can ask while the cluster restarts. It costs this process torch and one bundle
in memory from the first question on; who never asks never pays.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.domain.errors import RetryableError
from models.domain.tiling import Window
from services.api.drawing_store import DrawingStore
from services.records.views import InspectionSummary

if TYPE_CHECKING:
    from models.explain import Explainer, Explanation
    from models.manifest import BundleManifest
    from models.reference import Reference

_KEPT = 64
"""Explanations kept: a page asks for the text first and for its pictures right afterwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """An explanation with the words to tell it."""

    explanation: "Explanation"
    manifest: "BundleManifest"
    reference: "Reference"


class Explaining:
    """Explains windows of captures whose file and bundle are on this machine."""

    def __init__(self, bundles: Path, drawings: DrawingStore) -> None:
        """Load nothing yet.

        Args:
            bundles: installed bundles, `<bundles>/<digest>/`.
            drawings: opens the files of captures.
        """
        self._bundles, self._drawings = bundles, drawings
        self._explainer: tuple[str, Explainer] | None = None
        self._made: OrderedDict[tuple[str, Window, int | None], Why] = OrderedDict()
        self._lock = threading.Lock()

    def why(self, shown: InspectionSummary, window: Window, label: str | None = None) -> Why:
        """Explain the verdict of one window; one at a time, for each takes all cores.

        Args:
            shown: the inspection.
            window: of it.
            label: class to explain; None, or one the bundle does not know = the likeliest.

        Raises:
            RetryableError: file or bundle are not on this machine.
        """
        with self._lock:
            explainer = self._explainer_of(shown.bundle.digest)
            bundle = explainer.classifier.bundle
            names = bundle.manifest.labels.names
            index = names.index(label) if label in names else None
            key = (shown.id, window, index)
            if key not in self._made:
                patch = self._drawings.reader(shown.capture.id, shown.sha256).read(window)
                found = explainer.explain(patch.pixels, index)
                self._made[key] = Why(found, bundle.manifest, bundle.reference)
                while len(self._made) > _KEPT:
                    self._made.popitem(last=False)
            return self._made[key]

    def reference(self, digest: str) -> "Reference":
        """The known examples of a bundle.

        Raises:
            RetryableError: the bundle is not on this machine.
        """
        with self._lock:
            return self._explainer_of(digest).classifier.bundle.reference

    def _explainer_of(self, digest: str) -> "Explainer":
        if self._explainer is None or self._explainer[0] != digest:
            folder = self._bundles / digest
            if len(digest) != 64 or not folder.is_dir():
                raise RetryableError(
                    "the bundle that judged is not here",
                    where=digest[:80],
                    expected=f"a folder in {self._bundles}",
                    remedy="mount the bundles that the inspectors use, or release it again",
                    code="no-bundle",
                )
            # not at the top: the API starts without torch, and most of its processes never need it
            from models.bundle import load_bundle  # noqa: PLC0415
            from models.classifier import Classifier  # noqa: PLC0415
            from models.explain import Explainer  # noqa: PLC0415

            self._explainer = (digest, Explainer(Classifier(load_bundle(folder), "cpu")))
        return self._explainer[1]
