"""Other thresholds for the bundle of a route: no training, but another digest, an entry in the journal, a reason.

The changed bundle goes the way the route's source says: along an alias it becomes the registry's next version; a folder
is changed in place; a fixed digest becomes the new one in the routing.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models.bundle import Bundle, change_thresholds, load_bundle
from models.domain.errors import ConfigurationError, InputError
from models.effect import effect_of, thresholds_for
from models.manifest import BundleManifest, Thresholds
from pipelines.release import release
from services.records.journal import write_down
from services.records.session import Database, WriteSession
from services.routing.history import apply, in_force, plain_routing
from services.routing.routing import Source
from services.serving.bundle_store import BundleStore, Route
from services.settings import Settings


@dataclass(frozen=True, slots=True)
class ThresholdOrder:
    """What shall hold; None = as it is.

    Attributes:
        budget: share of the known that may be called novel; sets the novelty thresholds, by class where the recipe
            wants them.
        novelty: the common novelty threshold, instead of a budget.
        confidence: least probability of a label.
    """

    budget: float | None = None
    novelty: float | None = None
    confidence: float | None = None

    def thresholds(self, bundle: Bundle) -> Thresholds:
        """The thresholds this makes of those in a bundle.

        Raises:
            InputError: nothing or too much is asked for, or a number is out of range.
        """
        asked = [self.budget, self.novelty, self.confidence]
        if asked.count(None) == len(asked) or None not in asked[:2]:
            raise InputError("unclear order", expected="a budget or a novelty threshold, or a confidence threshold")
        try:
            wanted = bundle.manifest.thresholds
            if self.budget is not None:
                wanted = thresholds_for(self.budget, bundle.manifest, bundle.reference.yardstick)
            elif self.novelty is not None:
                wanted = Thresholds(wanted.confidence, self.novelty)
            return wanted if self.confidence is None else replace(wanted, confidence=self.confidence)
        except ConfigurationError as error:
            raise InputError(**asdict(error.complaint)) from error


def change(
    settings: Settings, database: Database, order: ThresholdOrder, *, route: str, actor: str, reason: str, after: str
) -> BundleManifest:
    """Put other thresholds into force on a route.

    Args:
        settings: where bundles and registry are.
        database: of the journal.
        order: what shall hold.
        route: whose bundle.
        actor: who says so.
        reason: why; kept in the journal.
        after: digest of the bundle they were chosen for.

    Returns:
        The manifest of the changed bundle.

    Raises:
        InputError: another bundle is on the route by now, or the order is not possible.
        RetryableError: the registry does not answer; nothing was changed.
    """
    store = BundleStore(settings.bundle_dir)
    before = store.resolve(route)
    if before.manifest.ref.digest != after:
        raise InputError(
            "the bundle changed meanwhile",
            where=f"route {route}",
            expected=after[:16],
            got=before.manifest.ref.digest[:16],
            remedy="look at the effect on the bundle that is there now",
        )
    thresholds = order.thresholds(load_bundle(before.folder))
    with tempfile.TemporaryDirectory(dir=settings.home) as scratch, database.write() as session:
        changed = Path(scratch) / "bundle"
        shutil.copytree(before.folder, changed)
        manifest = change_thresholds(changed, thresholds)
        digest = store.install(changed).ref.digest
        version = _publish(settings, session, before, changed, actor=actor, reason=reason)
        store.activate(route, digest, version)
        write_down(
            session,
            actor=actor,
            deed="thresholds changed",
            subject=f"{manifest.ref.name} on route {route}",
            reason=reason,
            before=_plain(before.manifest),
            after=_plain(manifest),
            effect=_effect(changed),
        )
    return replace(manifest, ref=replace(manifest.ref, version=version))


def _publish(
    settings: Settings, session: WriteSession, before: Route, changed: Path, *, actor: str, reason: str
) -> str:
    """Let the route's source say the same, so that it holds after a restart too; returns the version."""
    found = in_force(session)
    routing = plain_routing(settings) if found is None else found.routing
    source = routing.routes.get(before.name)
    if source is None:
        raise InputError("no such route", where=before.name, expected=" | ".join(routing.routes))
    if source.alias is not None:
        name = source.model or settings.model_name
        # the gate compares figures of the test split, and those are of the weights, which stay
        return release(changed, settings.mlflow_uri, source.alias, name=name, force=True).version
    if source.folder is not None:
        shutil.copyfile(changed / "bundle.json", source.folder / "bundle.json")
        return before.manifest.ref.version
    fixed = Source(digest=load_bundle(changed).manifest.ref.digest, version=source.version)
    routes = {**routing.routes, before.name: fixed}
    apply(session, routing.model_copy(update={"routes": routes}), actor=actor, note=f"thresholds: {reason}")
    return source.version


def _plain(manifest: BundleManifest) -> Mapping[str, Any]:
    thresholds = manifest.thresholds
    return {
        "digest": manifest.ref.digest,
        "confidence": thresholds.confidence,
        # JSON knows no infinity
        "novelty": str(thresholds.novelty),
        "novelty_by_class": {name: str(value) for name, value in thresholds.novelty_by_class.items()},
    }


def _effect(folder: Path) -> Mapping[str, float | None] | None:
    bundle = load_bundle(folder)
    if not len(bundle.reference.calibration.novelty):
        return None
    found = effect_of(bundle.manifest.thresholds, bundle.reference.calibration, bundle.manifest.labels.names)
    return {"refused": found.refused, "novel": found.novel, "error": found.error}
