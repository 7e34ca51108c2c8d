"""Drawings: what a viewer gets is where the file says; pictures show it; the store parses once."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.domain.errors import InputError, RetryableError
from pipelines.ingestion import CaptureReader, DieMap, DieReader, PointMap, PointReader, open_captures
from pipelines.ingestion.wafer_maps import Pictures
from services.api.drawing import Drawing, Region, draw, draw_region
from services.api.drawing_store import DrawingStore
from services.api.pictures import COLOURS, Theme, png
from services.dashboard.looks import STATIC
from tests.services.api.conftest import POINTS
from tests.services.making import capture, sha


def points(*xy: tuple[float, float], **columns: np.ndarray) -> PointReader:
    x, y = np.array(xy, np.float32).T if xy else np.empty((2, 0), np.float32)
    return PointReader(capture(), PointMap(x, y, 300_000.0, columns=columns))


def test_places_run_right_and_down_from_the_upper_left() -> None:
    drawing = draw(points((0, 0), (-149_999, 149_999), (149_999, -149_999), (0, 75_000)))
    u, v = np.frombuffer(drawing.wire(), "<u2").reshape(2, -1)
    assert abs(u.astype(int) - [32768, 0, 65535, 32768]).max() <= 1
    assert abs(v.astype(int) - [32768, 0, 65535, 16384]).max() <= 1
    assert drawing.geometry["points"] == 4


def test_classes_come_with_their_counts_most_frequent_first() -> None:
    drawing = draw(points((0, 0), (1, 1), (2, 2), CLASSNUMBER=np.array([7, 3, 7])))
    values = [{"code": "7", "count": 2}, {"code": "3", "count": 1}]
    assert drawing.geometry["filters"] == [{"name": "Class", "values": values}]
    assert drawing.wire()[-3:] == bytes([0, 1, 0])


def test_more_classes_than_a_byte_holds_share_the_last_one() -> None:
    many = np.arange(400)
    drawing = draw(points(*[(k, 0) for k in range(400)], CLASSNUMBER=many))
    values = drawing.geometry["filters"][0]["values"]
    assert len(values) == 255
    assert values[-1] == {"code": "other", "count": 400 - 254}
    assert drawing.groups.max() == 254


def test_one_class_is_no_class() -> None:
    drawing = draw(points((0, 0), (1, 1), CLASSNUMBER=np.array([1, 1])))
    assert drawing.geometry["filters"] == []
    assert len(drawing.wire()) == 8


def test_tests_adders_and_pictures_can_be_filtered_by() -> None:
    reader = points((0, 0), (1, 1), (2, 2), TEST=np.array([1, 1, 2]), ADDERFLAG=np.array([0, 1, 0]))
    pictures = Pictures(np.array([2], np.int32), np.array([1], np.int32), np.array(["a.tif"]))
    drawing = draw(replace(reader, points=replace(reader.points, pictures=pictures)))
    assert [one["name"] for one in drawing.geometry["filters"]] == ["Test", "Adder", "Picture"]
    assert [one["code"] for one in drawing.geometry["filters"][2]["values"]] == ["without", "with"]
    assert drawing.wire()[-9:] == bytes([0, 0, 1, 0, 1, 0, 0, 0, 1])


def test_a_die_map_is_cut_to_its_dies() -> None:
    states = np.zeros((5, 6), np.uint8)
    states[1:3, 2:5] = [[1, 2, 1], [0, 1, 2]]
    geometry = draw(DieReader(capture(), DieMap(states))).geometry
    assert geometry["states"] == ["121", "012"]
    assert (geometry["failed"], geometry["inspected"]) == (2, 5)


def test_a_drawing_survives_its_cache_file() -> None:
    drawing = draw(PointReader(capture(), POINTS))
    again = Drawing.load(drawing.dump())
    assert again.geometry == drawing.geometry
    assert again.wire() == drawing.wire()


@pytest.mark.parametrize("theme", Theme)
def test_a_picture_shows_the_defect_on_a_round_wafer(theme: Theme) -> None:
    image = np.asarray(Image.open(io.BytesIO(png(draw(points((75_000, 75_000))), 128, theme))))
    assert image.shape == (128, 128, 4)
    assert image[0, 0, 3] == 0, "outside of the wafer is nothing"
    disc = np.array(COLOURS[theme].disc)
    assert (image[96, 32, :3] == disc).all()
    assert np.abs(image[32, 96, :3].astype(int) - disc).max() > 60, "one single defect must be seen"


def test_a_picture_of_dies_shows_failed_ones() -> None:
    states = np.ones((8, 8), np.uint8)
    states[1, 2] = 2
    image = np.asarray(Image.open(io.BytesIO(png(draw(DieReader(capture(), DieMap(states))), 80, Theme.LIGHT))))
    assert tuple(image[15, 25, :3]) == COLOURS[Theme.LIGHT].failed


def test_pictures_and_viewer_use_the_same_colours() -> None:
    script = (STATIC / "wafer-colours.js").read_text()
    for theme in Theme:
        listed = re.search(rf"{theme.value}: \[(.*)\]", script)
        assert listed is not None
        corners = [tuple(map(int, rgb.split(","))) for rgb in re.findall(r"\[([\d, ]+)\]", listed[1] + "]")]
        assert tuple(corners) == COLOURS[theme].ramp


class Opened:
    """Counts how often files are opened."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, path: Path, /, *, sha256: str | None = None) -> Iterator[CaptureReader]:
        assert sha256 == path.name, "a spooled file would be hashed again"
        self.times += 1
        for k in range(3):
            yield PointReader(capture("lot", k, 3), POINTS)


def test_a_file_is_parsed_once_for_all_its_wafers(tmp_path: Path) -> None:
    (tmp_path / sha("lot")).write_text("lot")
    opener = Opened()
    ids = [capture("lot", k, 3).id for k in range(3)]
    store = DrawingStore(tmp_path, tmp_path / "cache", opener)
    for one in (*ids, *ids):
        assert store.get(one, sha("lot")).geometry["points"] == 3
    another_process = DrawingStore(tmp_path, tmp_path / "cache", opener)
    another_process.get(ids[2], sha("lot"))
    assert opener.times == 1


def test_a_damaged_cache_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / sha("lot")).write_text("lot")
    opener, one = Opened(), capture("lot", 0, 3).id
    DrawingStore(tmp_path, tmp_path / "cache", opener).get(one, sha("lot"))
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert DrawingStore(tmp_path, tmp_path / "cache", opener).get(one, sha("lot")).geometry["points"] == 3
    assert opener.times == 2


def test_the_cache_stays_below_its_limit(tmp_path: Path) -> None:
    (tmp_path / sha("lot")).write_text("lot")
    store = DrawingStore(tmp_path, tmp_path / "cache", Opened(), limit_bytes=1)
    store.get(capture("lot", 0, 3).id, sha("lot"))
    assert len(list((tmp_path / "cache").iterdir())) < 3


def test_a_file_that_is_elsewhere_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="not here"):
        DrawingStore(tmp_path, tmp_path / "cache", Opened()).get("x", sha("elsewhere"))


def image_file(tmp_path: Path) -> Path:
    pixels = np.zeros((300, 500, 3), np.uint8)
    pixels[100:200, 250:500] = (200, 40, 10)
    path = tmp_path / "field.png"
    Image.fromarray(pixels).save(path)
    return path


def test_a_region_of_an_image_is_read_at_its_place(tmp_path: Path) -> None:
    (reader,) = open_captures(image_file(tmp_path))
    inside = draw_region(reader, Region(top=0.4, left=0.6, bottom=0.6, right=0.9), 64)
    assert inside.shape[1] >= 64
    assert (inside == (200, 40, 10)).all()
    assert not draw_region(reader, Region(0.0, 0.0, 0.3, 0.45), 64).any()


@pytest.mark.parametrize("region", [Region(0.5, 0.5, 0.5, 0.9), Region(2.0, 0.0, 3.0, 1.0)])
def test_an_empty_region_is_refused(tmp_path: Path, region: Region) -> None:
    (reader,) = open_captures(image_file(tmp_path))
    with pytest.raises(InputError, match="empty region"):
        draw_region(reader, region, 64)


def test_wafers_have_no_regions() -> None:
    with pytest.raises(InputError, match="only images"):
        draw_region(PointReader(capture(), POINTS), Region(0, 0, 1, 1), 64)


def test_an_image_keeps_its_shape_in_pictures(tmp_path: Path) -> None:
    (reader,) = open_captures(image_file(tmp_path))
    drawing = draw(reader)
    assert (drawing.geometry["height"], drawing.geometry["width"]) == (300, 500)
    picture = Image.open(io.BytesIO(png(drawing, 100, Theme.LIGHT)))
    assert picture.size == (100, 60)
