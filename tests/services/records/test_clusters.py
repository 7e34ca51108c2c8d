"""Clusters in the database: numbers that stay, what is grouped and what is not, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from models.domain.inspection import BundleRef, Inspection, Looks
from models.domain.verdict import Reason
from services.clustering import Clustering
from services.records.clusters import Cluster, cluster, clustered, clusters, strangers
from services.records.labels import add_labels
from services.records.queries import inspection_lines
from services.records.session import Database
from services.records.views import InspectionSummary
from tests.services.making import BUNDLE, capture, inspection, record, verdict

COMET, SPIRAL, WAVE = np.eye(3, 8, dtype=np.float32) * 4
NEW_BUNDLE = BundleRef("wafer", "4", "c" * 64)


def near(place: np.ndarray, content: str) -> np.ndarray:
    """A point near that place, another one for each content."""
    rng = np.random.default_rng(sum(content.encode()))
    return (place + 0.1 * rng.standard_normal(len(place))).astype(np.float32)


def judged(
    database: Database, content: str, place: np.ndarray | None, label: str | None = None, bundle: BundleRef = BUNDLE
) -> Inspection:
    found = inspection(capture(content), verdict(label, reason=None if label else Reason.NOVEL), bundle=bundle)
    found = replace(found, looks=None if place is None else Looks(near(place, content), np.zeros(90, np.float32)))
    record(database, found, content=content + bundle.version)
    return found


def grouped(database: Database) -> tuple[Cluster, ...]:
    with database.read() as session:
        return clusters(session)


def members(database: Database, of: Cluster) -> list[InspectionSummary]:
    with database.read() as session:
        return list(inspection_lines(session, of.members).values())


def names(database: Database, of: Cluster) -> set[str]:
    return {one.capture.name.removesuffix(".001") for one in members(database, of)}


def test_unknown_captures_are_grouped_by_how_they_look(database: Database) -> None:
    for k in range(4):
        judged(database, f"comet{k}", COMET)
    for k in range(3):
        judged(database, f"spiral{k}", SPIRAL)
    judged(database, "ring", WAVE, "Ring")
    unseen = judged(database, "unseen", None)
    assert Clustering(database).refresh()
    comets, spirals = grouped(database)
    assert names(database, comets) == {f"comet{k}" for k in range(4)}
    assert names(database, spirals) == {f"spiral{k}" for k in range(3)}
    assert len(comets.unnamed) == 4
    with database.read() as session:
        assert len(clustered(session, [one.capture.id for one in members(database, comets)])) == 4
        assert clustered(session, [unseen.capture.id]) == {}


def test_nothing_new_nothing_done(database: Database) -> None:
    clustering = Clustering(database)
    judged(database, "a", COMET)
    assert clustering.refresh()
    assert not clustering.refresh()
    judged(database, "known", COMET, "Ring")
    assert not clustering.refresh()
    judged(database, "b", COMET)
    assert clustering.refresh()
    assert [names(database, one) for one in grouped(database)] == [{"a", "b"}]


def test_numbers_stay_while_captures_arrive(database: Database) -> None:
    for k in range(3):
        judged(database, f"spiral{k}", SPIRAL)
        judged(database, f"comet{k}", COMET)
    Clustering(database).refresh()
    before = {frozenset(names(database, one)): one for one in grouped(database)}
    for k in range(5):
        judged(database, f"wave{k}", WAVE)
        judged(database, f"comet{k + 3}", COMET)
    Clustering(database).refresh()
    after = grouped(database)
    assert len(after) == 3
    for members, old in before.items():
        (same,) = (one for one in after if members <= names(database, one))
        assert (same.number, same.opened_at) == (old.number, old.opened_at)


def test_a_named_cluster_tells_what_joins_it(database: Database) -> None:
    first = [judged(database, f"comet{k}", COMET) for k in range(3)]
    clustering = Clustering(database)
    clustering.refresh()
    (comets,) = grouped(database)
    with database.write() as session:
        add_labels(session, [one.id for one in first], name="Comet", author="ada")
    assert grouped(database) == (), "nothing waits for a name"
    late = judged(database, "late", COMET)
    clustering.refresh()
    (again,) = grouped(database)
    assert (again.number, again.name, again.unnamed) == (comets.number, "Comet", (late.id,))


def test_a_new_bundle_takes_captures_over_with_their_number(database: Database) -> None:
    for k in range(4):
        judged(database, f"comet{k}", COMET)
    clustering = Clustering(database)
    clustering.refresh()
    (before,) = grouped(database)
    for k in range(3):
        judged(database, f"comet{k}", WAVE, bundle=NEW_BUNDLE)
    judged(database, "comet3", WAVE, "Comet", bundle=NEW_BUNDLE)  # the new model knows it
    clustering.refresh()
    (after,) = grouped(database)
    assert after.number == before.number
    assert names(database, after) == {"comet0", "comet1", "comet2"}
    assert {one.bundle.digest for one in members(database, after)} == {NEW_BUNDLE.digest}


def test_latent_spaces_are_not_mixed(database: Database) -> None:
    for k in range(3):
        judged(database, f"old{k}", COMET)
        judged(database, f"new{k}", COMET, bundle=NEW_BUNDLE)
    Clustering(database).refresh()
    found = sorted(sorted(names(database, one)) for one in grouped(database))
    assert found == [["new0", "new1", "new2"], ["old0", "old1", "old2"]]


def test_a_merged_cluster_leads_to_its_heir(database: Database) -> None:
    two = [judged(database, f"a{k}", COMET) for k in range(2)] + [judged(database, f"b{k}", SPIRAL) for k in range(3)]
    Clustering(database).refresh()
    before = {one.number: names(database, one) for one in grouped(database)}
    assert len(before) == 2
    for k, one in enumerate(two):  # the next bundle sees one thing where this one saw two
        judged(database, one.capture.name.removesuffix(".001"), WAVE, bundle=NEW_BUNDLE)
        assert k < 5
    Clustering(database).refresh()
    (merged,) = grouped(database)
    assert before[merged.number] == {"b0", "b1", "b2"}
    (gone,) = set(before) - {merged.number}
    with database.read() as session:
        assert cluster(session, gone) == merged
        assert cluster(session, 999) is None


def test_the_newest_are_grouped_first(database: Database) -> None:
    for k in range(5):
        judged(database, f"comet{k}", COMET)
    with database.read() as session:
        newest = strangers(session, limit=2)
        assert [one.capture_id for one in newest] == [capture("comet4").id, capture("comet3").id]


@pytest.mark.slow
def test_housekeepers_that_group_together_agree(database: Database) -> None:
    for k in range(6):
        judged(database, f"comet{k}", COMET)
        judged(database, f"spiral{k}", SPIRAL)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Clustering(database).refresh(), range(8)))
    assert sorted(len(one.members) for one in grouped(database)) == [6, 6]
