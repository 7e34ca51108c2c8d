"""Heat maps come back as they were written, and go when the verdicts beside them do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.domain.heat import HeatMap
from models.domain.tiling import Level
from services.jobs import claim
from services.records.heat import heat_lines, heat_map
from services.records.partitions import drop_verdicts
from services.records.session import Database
from services.records.store import add_inspection
from tests.services.making import POLICY, add_job, capture, inspection, record

CELLS = np.random.default_rng(0).integers(0, 200, (40, 70)).astype(np.uint8)
LEVEL = Level(5, 1000, 1500)
BOX = (0.01, 0.02, 0.97, 0.98)
MAPS = (HeatMap(LEVEL, "Scratch", BOX, CELLS), HeatMap(LEVEL, None, BOX, np.zeros((40, 70), np.uint8)))


def test_maps_come_back(database: Database) -> None:
    found = replace(inspection(), heat=MAPS)
    record(database, found)
    with database.read() as session:
        scratch, unknown = heat_lines(session, found.id)
        cells = heat_map(session, found.id, 0)
        assert heat_map(session, found.id, 2) is None
    assert (scratch.label, scratch.level, scratch.box, scratch.rows, scratch.columns) == ("Scratch", 5, BOX, 40, 70)
    assert scratch.greatest == pytest.approx(CELLS.max() / 255)
    assert (unknown.label, unknown.greatest) == (None, 0)
    assert cells is not None
    assert (cells.level, cells.label, cells.box) == (LEVEL, "Scratch", BOX)
    np.testing.assert_array_equal(cells.values, CELLS)


def test_an_inspection_recorded_twice_has_its_maps_once(database: Database) -> None:
    found = replace(inspection(), heat=MAPS)
    record(database, found, found)
    with database.read() as session:
        assert len(heat_lines(session, found.id)) == 2


def test_maps_go_with_the_verdicts(own_database: Database) -> None:
    database = own_database
    now = datetime.now(UTC)
    add_job(database)
    ids = []
    with database.write() as session:
        lease = claim(session, "worker", POLICY)
        assert lease is not None
        for moment in (now - timedelta(days=100), now):
            found = replace(inspection(capture(moment.isoformat())), heat=MAPS)
            add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=lease.fence, at=moment)
            ids.append(found.id)
    drop_verdicts(database, now - timedelta(days=40))
    with database.read() as session:
        assert [len(heat_lines(session, one)) for one in ids] == [0, 2]
