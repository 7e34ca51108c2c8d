"""One defect exactly as the file has it, and the pictures beside the file; nothing outside of the watch folder."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.ingestion import open_captures
from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.jobs import claim, complete
from services.records.session import now
from services.records.store import add_inspection
from tests.services.api.conftest import Serve, Service
from tests.services.making import POLICY, inspection

KLARF = """FileVersion 1 2;
LotID "L1";
WaferID "W1";
SampleSize 1 300;
DiePitch 10000.0 10000.0;
SampleCenterLocation 0.0 0.0;
SampleOrientationMarkType NOTCH;
OrientationMarkLocation DOWN;
DefectRecordSpec 7 DEFECTID XREL YREL XINDEX YINDEX CLASSNUMBER IMAGECOUNT IMAGELIST;
TiffFileName {name};
DefectList
 1 1000.5 2000.25 0 0 3 0
 2 1000.0 2000.0 5 5 7 1 2 0;
EndOfFile;
"""


def pages(*greys: int) -> bytes:
    stream = io.BytesIO()
    first, *others = [Image.fromarray(np.full((24, 32), grey, np.uint8)) for grey in greys]
    first.save(stream, "TIFF", save_all=True, append_images=others)
    return stream.getvalue()


def came_in(service: Service, folder: Path, name: str = "pictures.tif") -> str:
    """A KLARF file as the watcher takes it in, judged; the inspection's id."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "w.001"
    path.write_text(KLARF.format(name=name).replace("Spec 7", "Spec 8"))
    spool = Spool(service.settings.spool_dir, 1 << 20)
    with path.open("rb") as stream:
        receive(service.database, spool, stream, Arrival("watch", str(path), "watch"))
    (reader,) = open_captures(path)
    with service.database.write() as session:
        lease = claim(session, "worker", POLICY)
        assert lease is not None
        found = inspection(reader.capture)
        add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=lease.fence, at=now(session))
        complete(session, lease)
    return found.id


@pytest.fixture
def site(serve: Serve) -> Service:
    return serve(opener=open_captures)


def test_the_nearest_defect_is_told_exactly(site: Service) -> None:
    shown = came_in(site, site.settings.watch_dir)
    place = {"x": 0.5 + 1000 / 300_000, "y": 0.5 - 2000 / 300_000}
    found = site.client.get(f"/api/v1/inspections/{shown}/defects/nearest", params=place).json()
    assert (found["n"], found["x_um"], found["y_um"]) == (0, 1000.5, 2000.25)
    assert found["columns"]["CLASSNUMBER"] == 3
    assert found["pictures"] == []
    assert site.client.get(f"/api/v1/inspections/{shown}/defects/nearest", params={"x": 0, "y": 0}).status_code == 404
    assert site.client.get(f"/api/v1/inspections/{shown}/defects/2").status_code == 404


def test_the_page_of_a_defects_picture_is_shown(site: Service) -> None:
    shown = came_in(site, site.settings.watch_dir / "tool")
    (site.settings.watch_dir / "tool" / "PICTURES.TIF").write_bytes(pages(10, 200))
    (address,) = site.client.get(f"/api/v1/inspections/{shown}/defects/1").json()["pictures"]
    answer = site.client.get(address)
    assert answer.headers["content-type"] == "image/png"
    assert np.asarray(Image.open(io.BytesIO(answer.content))).mean() == 200


def test_a_picture_that_is_not_there_is_not_found(site: Service) -> None:
    shown = came_in(site, site.settings.watch_dir)
    answer = site.client.get(f"/api/v1/inspections/{shown}/defects/1/pictures/0.png")
    assert answer.status_code == 404
    assert "beside the wafer's own" in answer.json()["expected"]


def test_nothing_outside_of_the_watch_folder_is_opened(site: Service, tmp_path: Path) -> None:
    shown = came_in(site, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "pictures.tif").write_bytes(pages(10, 200))
    assert site.client.get(f"/api/v1/inspections/{shown}/defects/1/pictures/0.png").status_code == 404


def test_a_reference_that_leads_elsewhere_leads_nowhere(site: Service) -> None:
    shown = came_in(site, site.settings.watch_dir / "tool", name="../secret.tif")
    (site.settings.watch_dir / "secret.tif").write_bytes(pages(10, 200))
    assert site.client.get(f"/api/v1/inspections/{shown}/defects/1/pictures/0.png").status_code == 404
