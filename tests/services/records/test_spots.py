"""Unknown places of frames: grouped like unknown captures, named one by one or as a group, examples in the end."""

from dataclasses import replace

import numpy as np
import pytest

from models.domain.inspection import BundleRef, Inspection, Looks, Spot
from models.domain.label import Agreement
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason
from services.clustering import Clustering
from services.records.clusters import clusters
from services.records.labels import add_labels, unnamed
from services.records.opinions import labelled
from services.records.session import Database
from services.records.spots import spot_lines, unnamed_spots
from tests.services.making import BUNDLE, capture, inspection, record, verdict

LEVEL = Level(5, 1000, 1500)
SEAL, LOG = np.eye(2, 8, dtype=np.float32)
NOWHERE = np.zeros(90, np.float32)


def spot(top: int, look: np.ndarray, novelty: float = 2.0) -> Spot:
    said = verdict(None, window=Window(LEVEL, top, 300, 96, 96), novelty=novelty, likeliest="sand")
    return Spot(said, Looks(look + 0.01 * top / 1000, NOWHERE))


def frame(database: Database, content: str, *spots: Spot, bundle: BundleRef = BUNDLE) -> Inspection:
    """A frame whose objects were counted, one of them unknown; recorded."""
    found = inspection(capture(content, lot=None), verdict(None, window=Window(LEVEL, 0, 0, 96, 96)), bundle=bundle)
    found = replace(found, spots=spots, counted=True)
    record(database, found, content=content + bundle.version)
    return found


def waiting(database: Database, reader: str = "zoe") -> list[str]:
    with database.read() as session:
        return [one.id for one in unnamed_spots(session, reader=reader, limit=50)]


def test_places_are_listed_with_their_frame(database: Database) -> None:
    found = frame(database, "flight7", spot(100, SEAL), spot(700, LOG, novelty=5.0))
    first, second = (one.cut_out(found.capture) for one in found.spots)
    assert waiting(database) == [second.id, first.id], "the strangest first"
    with database.read() as session:
        line = spot_lines(session, [first.id])[first.id]
        assert unnamed(session) == (), "a frame whose places are asked about is not asked about as a whole"
    assert (line.inspection_id, line.window, line.capture) == (found.id, found.spots[0].verdict.window, first)
    assert line.box == (0.1, 0.2, 0.196, 396 / 1500)
    assert first.provenance.lot == "flight7", "frames must not be torn apart"


def test_what_looks_alike_is_one_cluster_over_all_frames_and_named_at_once(database: Database) -> None:
    frames = [frame(database, f"flight{k}", spot(100 + k, SEAL), spot(700 + k, LOG)) for k in range(3)]
    assert Clustering(database).refresh()
    with database.read() as session:
        groups = clusters(session)
    seals = {one.spots[0].cut_out(one.capture).id for one in frames}
    logs = {one.spots[1].cut_out(one.capture).id for one in frames}
    assert {frozenset(one.members) for one in groups} == {frozenset(seals), frozenset(logs)}
    with database.write() as session:
        assert add_labels(session, seals, name="seal", author="zoe") == 3
    with database.read() as session:
        assert [set(one.unnamed) for one in clusters(session)] == [logs]
    assert set(waiting(database)) == logs
    assert set(waiting(database, "max")) == logs | seals, "a second person is asked as well"


def test_two_who_agree_make_an_example(database: Database) -> None:
    found = frame(database, "flight7", spot(100, SEAL))
    (id_,) = waiting(database)
    for author in ("zoe", "max"):
        with database.write() as session:
            add_labels(session, [id_], name="seal", author=author)
    assert waiting(database) == waiting(database, "max") == waiting(database, "eve") == []
    with database.read() as session:
        (one,) = labelled(session)
    assert (one.opinion.name, one.opinion.agreement) == ("seal", Agreement.AGREED)
    assert one.part_of == (found.capture.id, found.spots[0].verdict.window)
    assert (one.capture_id, one.kind, one.lot) == (id_, found.capture.kind, "flight7")


def test_a_newer_inspection_of_the_frame_counts(database: Database) -> None:
    frame(database, "flight7", spot(100, SEAL), spot(700, LOG))
    newer = frame(database, "flight7", spot(700, LOG), bundle=BundleRef("wafer", "4", "c" * 64))
    kept = newer.spots[0].cut_out(newer.capture).id
    assert waiting(database) == [kept]
    with database.read() as session:
        assert spot_lines(session, [kept])[kept].inspection_id == newer.id


@pytest.mark.parametrize("id_", ["", "none"])
def test_a_place_that_does_not_exist_is_said(database: Database, id_: str) -> None:
    from models.domain.errors import InputError

    frame(database, "flight7", spot(100, SEAL))
    with database.write() as session, pytest.raises(InputError, match="no such inspection"):
        add_labels(session, [id_], name="seal", author="zoe")
    assert Reason.NOVEL in frame(database, "flight8").refused
