"""Thresholds change without training: another digest, an entry in the journal, and the source of the route agrees."""

from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.domain.errors import InputError
from models.effect import effect_of
from pipelines.release import fetch_released, release
from services.records.journal import first_broken, journal
from services.records.session import Database
from services.routing.history import apply, in_force
from services.routing.routing import Routing, Source
from services.routing.thresholds import ThresholdOrder, change
from services.serving.bundle_store import BundleStore
from services.settings import Settings
from tests.services.conftest import MakeBundle


@pytest.fixture
def folder(tmp_path: Path, make_bundle: MakeBundle) -> Path:
    """A bundle in a folder of its own."""
    make_bundle(tmp_path / "made", 0)
    return tmp_path / "made"


def on_route(settings: Settings, folder: Path) -> BundleStore:
    store = BundleStore(settings.bundle_dir)
    store.activate(settings.route, store.install(folder).ref.digest, "1")
    return store


def test_a_budget_sets_the_novelty_and_is_written_down(database: Database, tmp_path: Path, folder: Path) -> None:
    settings = Settings(home=tmp_path, bundle=str(folder))
    store = on_route(settings, folder)
    before = store.resolve("folder").manifest
    changed = change(
        settings, database, ThresholdOrder(budget=0.4), route="folder", actor="Zoë", reason="too many unknowns",
        after=before.ref.digest,
    )  # fmt: skip
    held = load_bundle(store.resolve("folder").folder)
    assert held.manifest.ref.digest == changed.ref.digest != before.ref.digest
    assert held.manifest.thresholds.confidence == before.thresholds.confidence
    effect = effect_of(held.manifest.thresholds, held.reference.calibration, held.manifest.labels.names)
    assert effect.novel == pytest.approx(0.25)  # of four windows one, for two would be more than 40 %
    assert load_bundle(folder).manifest.ref.digest == changed.ref.digest  # so it holds after a restart too
    with database.read() as session:
        (entry,) = journal(session)
        assert first_broken(session) is None
    assert (entry.actor, entry.deed, entry.subject) == ("Zoë", "thresholds changed", "tiny on route folder")
    assert entry.detail["before"]["digest"] == before.ref.digest
    assert entry.detail["after"]["digest"] == changed.ref.digest
    assert entry.detail["reason"] == "too many unknowns"
    assert entry.detail["effect"]["novel"] == pytest.approx(0.25)


def test_along_an_alias_it_becomes_the_registrys_next_version(database: Database, tmp_path: Path, folder: Path) -> None:
    settings = Settings(home=tmp_path, model_name="tiny")
    release(folder, settings.mlflow_uri, name="tiny")
    on_route(settings, folder)
    order = ThresholdOrder(novelty=0.25, confidence=0.5)
    digest = load_bundle(folder).manifest.ref.digest
    changed = change(settings, database, order, route="champion", actor="Zoë", reason="why", after=digest)
    fetched = fetch_released("tiny", "champion", settings.mlflow_uri, tmp_path / "fetched")
    manifest = load_bundle(fetched).manifest
    assert (manifest.ref.digest, changed.ref.version) == (changed.ref.digest, "2")
    assert (manifest.thresholds.novelty, manifest.thresholds.confidence) == (0.25, 0.5)


def test_a_fixed_digest_becomes_the_new_one(database: Database, tmp_path: Path, folder: Path) -> None:
    settings = Settings(home=tmp_path)
    digest = on_route(settings, folder).resolve("champion").manifest.ref.digest
    with database.write() as session:
        apply(session, Routing.plain("champion", Source(digest=digest, version="1")), actor="a", note="")
    changed = change(
        settings, database, ThresholdOrder(confidence=0.7), route="champion", actor="b", reason="r", after=digest
    )
    with database.read() as session:
        found = in_force(session)
    assert found is not None
    assert found.routing.routes["champion"].digest == changed.ref.digest
    assert found.number == 2


def test_who_looked_at_another_bundle_changes_nothing(database: Database, tmp_path: Path, folder: Path) -> None:
    settings = Settings(home=tmp_path, bundle=str(folder))
    store = on_route(settings, folder)
    with pytest.raises(InputError, match="changed meanwhile"):
        change(settings, database, ThresholdOrder(budget=0.4), route="folder", actor="a", reason="r", after="0" * 64)
    with database.read() as session:
        assert journal(session) == ()
    assert store.resolve("folder").manifest.thresholds == load_bundle(folder).manifest.thresholds


@pytest.mark.parametrize(
    "order", [ThresholdOrder(), ThresholdOrder(budget=0.1, novelty=2.0), ThresholdOrder(confidence=1.5)]
)
def test_an_order_must_be_clear_and_possible(order: ThresholdOrder, folder: Path) -> None:
    with pytest.raises(InputError):
        order.thresholds(load_bundle(folder))
