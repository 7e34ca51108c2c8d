"""A plant after some hours: something on every page, and an address of each of them."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np

from models.domain.alert import AlertState, Disposition
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.manifest import BundleManifest, Thresholds
from models.reference import Calibration
from pipelines.registry import Opened
from pipelines.simulate import NORMAL, PATTERNS, UNKNOWN_PATTERNS
from services.access import tokens
from services.access.roles import Role
from services.alerting.handling import assign_alert, change_alert, comment_alert
from services.alerting.silencing import Wish, add_silence
from services.clustering import Clustering
from services.jobs import hurry
from services.priority import Priority
from services.records import queries
from services.records.clusters import clusters
from services.records.journal import write_down
from services.records.labels import add_labels
from services.records.route_tables import ShadowOutcome, ShadowRow
from services.records.session import WriteSession, now
from services.serving.bundle_store import BundleStore
from tests.browser.conftest import Site
from tests.browser.seeding import UNSURE, Wafer
from tests.services.access.people import let_in
from tests.services.bundling import tiny_bundle

LONG = "a_very_long_file_name_as_tools_write_them_20260301_061200_A4711_07.klarf"
STRANGER = UNKNOWN_PATTERNS[0]
PAGES = (
    "/alerts", "/alerts?state=all&pattern=Ring", "/alerts?state=closed", "/alerts?state=silenced", "/alerts/{pattern}",
    "/alerts/{novelty}", "/alerts/{closed}", "/alerts/{quarantine}", "/inspections", "/inspections?verdict=unknown",
    "/inspections/{deep}", "/inspections/{stranger}", "/inspections/{picture}", "/inspections/{deep}/why", "/unknown",
    "/unknown?group={group}", "/labels", "/labels?queue=second", "/labels?queue=disputed", "/quality",
    "/quality?reach=30d", "/stack", "/stack?look=class", "/report", "/audit", "/quarantine", "/jobs",
    "/jobs?state=set-aside", "/jobs/{broken}", "/jobs/{waiting}", "/jobs/{done}", "/service", "/account", "/users",
    "/models", "/models/2", "/models/3", "/thresholds?novelty=1.2", "/rules?days=7",
    "/silences?rule=pattern&tool=SP5-02", "/bad-actors", "/upload", "/api", "/login", "/nowhere",
)  # fmt: skip
"""Every page by its address; a word in braces stands for what `furnish` gives under it."""


def furnish(site: Site, folder: Path) -> Mapping[str, str]:
    """Put something on every page of a fresh site; what the words in addresses stand for.

    `folder` is for the bundle that judges. Ada may log in; she may do everything.
    """
    seeder = site.seeder
    manifest = _released(site, folder)
    seeder.bundle = BundleRef("wafer", "2", manifest.ref.digest)
    site.models.opened |= {number: Opened(manifest, CARD) for number in ("1", "2", "3")}
    patterns = ["Ring", "Donut", "Ring", *[STRANGER] * 3, UNSURE, "GeoScratch", *["Normal"] * 16]
    found = seeder.gallery(patterns)
    deep = seeder.inspected(Wafer("ClusterSmall", 5, 3000, levels=(0, 2)))
    picture = seeder.pictured(1200, spots=4)
    broken = seeder.refused(LONG)
    waiting = [seeder.taken_in(f"waits {k}", f"A4712_{k:02d}.001")[1] for k in (1, 2, 3)]
    Clustering(site.database).refresh()
    let_in(site.database, "ada", Role.ADMIN)
    let_in(site.database, "bob", Role.OPERATOR)
    with site.database.write() as session:
        hurry(session, waiting[0], Priority.HELD)
        _handled(session)
        _looked_on(session, found[:8])
        add_labels(session, found[:2], name="Ring", author="ada")
        add_labels(session, found[2:3], name="Ring", author="bob")
        add_labels(session, found[2:3], name="Donut", author="cy")
        add_labels(session, found[3:4], name="Swirl", author="bob")
        tokens.create_token(session, "SP5-02", {Role.INGEST}, days=365, owner=None, by="ada")
        done = queries.inspection_line(session, deep)
        alerts = queries.alerts(session, states=tuple(AlertState)).items
        (group, *_) = clusters(session)
    assert done is not None
    of_rules = {one.rule: str(one.id) for one in alerts if one.state is AlertState.OPEN}
    closed = next(one.id for one in alerts if one.state is AlertState.FALSE_ALARM)
    return of_rules | {
        "deep": deep, "picture": picture, "stranger": found[3], "done": str(done.job_id), "broken": str(broken),
        "waiting": str(waiting[1]), "group": str(group.number), "closed": str(closed),
    }  # fmt: skip


def _released(site: Site, folder: Path) -> BundleManifest:
    """Install a bundle that knows the simulator's patterns and let it judge."""
    rng = np.random.default_rng(0)
    names = (NORMAL, *(one for one in PATTERNS if one != NORMAL))
    truth = rng.integers(0, len(names), 400)
    sure = rng.random(400) < 0.95
    calibration = Calibration(
        truth=truth,
        predicted=np.where(sure, truth, (truth + 1) % len(names)),
        confidence=np.where(sure, rng.uniform(0.7, 1, 400), rng.uniform(0.3, 0.7, 400)).astype(np.float32),
        novelty=np.where(sure, rng.gamma(2, 0.3, 400), rng.gamma(3, 0.5, 400)).astype(np.float32),
    )
    manifest = tiny_bundle(
        folder, labels=Labels(names, normal=NORMAL), tile=64, thresholds=Thresholds(0.5, 2.4), calibration=calibration,
        examples={name: site.seeder.drawn(Wafer(name, 900 + k, 2000), 64) for k, name in enumerate(names[:8])},
    )  # fmt: skip
    store = BundleStore(site.settings.bundle_dir)
    store.activate(site.settings.route, store.install(folder).ref.digest, "2")
    return manifest


def _handled(session: WriteSession) -> None:
    """What people did about alerts on their shift."""
    alerts = {one.pattern: one for one in queries.alerts(session, states=tuple(AlertState)).items}
    ring, closed = alerts["Ring"], alerts["GeoScratch"]
    change_alert(
        session, ring.id, version=ring.version, to=AlertState.ACKNOWLEDGED, actor="bob", note="chuck looked at"
    )
    assign_alert(session, ring.id, version=ring.version + 1, to="bob", actor="ada")
    comment_alert(session, ring.id, text="the pad is worn on one side", actor="bob")
    change_alert(
        session, closed.id, version=closed.version, to=AlertState.FALSE_ALARM, actor="bob",
        disposition=next(one for one in Disposition if one.is_false_alarm),
    )  # fmt: skip
    until = now(session) + timedelta(hours=4)
    add_silence(session, Wish("chuck is being cleaned", until, pattern="Donut"), author="bob")
    write_down(
        session, actor="ada", deed="promoted", subject="model wafer version 2", alias="champion", before="1", after="2",
        gate="passed", note="recall of Ring rises",
    )  # fmt: skip


def _looked_on(session: WriteSession, inspections: list[str]) -> None:
    """What a challenger said in the shadow."""
    moment = now(session)
    for k, one in enumerate(inspections):
        outcome = ShadowOutcome.DISAGREED if k % 3 else ShadowOutcome.AGREED
        session.add(
            ShadowRow(
                inspection_id=one, route="challenger", outcome=outcome, asked_at=moment, judged_at=moment, label="Ring",
                confidence=0.9, novelty=0.4, differences=[],
            )
        )  # fmt: skip


CARD = """# wafer, version 2

Patterns of wafer maps in 64 × 64 pixels.

| protocol | macro-F1 | floor |
|---|---|---|
| by lot, test | 0.884 | 0.071 |

Not for: aerial images.
"""
