"""SINF, G85, E142, STDF, Parquet, NPZ and pickles all tell the same wafer."""

import pickletools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.ingestion import DieReader, Limits, open_captures

Build = dict[str, Callable[..., bytes | str]]


def read(folder: Path, content: bytes | str, limits: Limits | None = None) -> list[DieReader]:
    path = folder / "map.dat"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    readers = list(open_captures(path, limits=limits))
    assert all(isinstance(reader, DieReader) for reader in readers)
    return readers  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["sinf", "g85", "e142", "stdf"])
def test_the_same_wafer_in_every_format(
    kind: str, samples: dict[str, bytes], states: np.ndarray, tmp_path: Path
) -> None:
    (reader,) = read(tmp_path, samples[kind])
    np.testing.assert_array_equal(reader.dies.states, states)
    about = reader.capture.provenance
    assert (about.lot, about.wafer) == ("LOT1", "W07")
    assert reader.warnings == ()


def test_provenance_beyond_lot_and_wafer(samples: dict[str, bytes], tmp_path: Path) -> None:
    (g85,) = read(tmp_path, samples["g85"])
    assert g85.capture.provenance.inspected_at == datetime(2026, 1, 2, 3, 4, 5)
    assert (g85.capture.provenance.product, g85.capture.height) == ("CHIP", 300_000)
    (stdf,) = read(tmp_path, samples["stdf"])
    about = stdf.capture.provenance
    assert (about.product, about.tool, about.step) == ("CHIP", "EYE01", "PROBE")
    assert about.inspected_at == datetime(2026, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(("fnloc", "turn"), [(180, 0), (0, 2), (90, -1), (270, 1)])
def test_the_notch_comes_down(fnloc: int, turn: int, build: Build, states: np.ndarray, tmp_path: Path) -> None:
    (reader,) = read(tmp_path, build["sinf"](fnloc=fnloc))
    np.testing.assert_array_equal(reader.dies.states, np.rot90(states, turn))


def test_a_notch_at_the_right_turns_to_the_bottom(build: Build, tmp_path: Path) -> None:
    mark = np.ones((3, 3), np.uint8)
    mark[1, 2] = 2  # beside the notch, which lies at the right
    (reader,) = read(tmp_path, build["sinf"](mark, fnloc=90))
    assert np.argwhere(reader.dies.states == 2).tolist() == [[2, 1]]


@pytest.mark.parametrize(("origin", "flips"), [(2, ()), (3, (0,)), (1, (1,)), (4, (0, 1))])
def test_g85_rows_begin_at_the_origin(
    origin: int, flips: tuple[int, ...], build: Build, states: np.ndarray, tmp_path: Path
) -> None:
    (reader,) = read(tmp_path, build["g85"](origin=origin))
    np.testing.assert_array_equal(reader.dies.states, np.flip(states, flips))


def test_e142_names_its_origin(build: Build, states: np.ndarray, tmp_path: Path) -> None:
    (reader,) = read(tmp_path, build["e142"](origin="LowerLeft"))
    np.testing.assert_array_equal(reader.dies.states, states[::-1])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("up", [b"U", b"D"])
def test_stdf_of_both_byte_orders_and_axes(
    order: str, up: bytes, build: Build, states: np.ndarray, tmp_path: Path
) -> None:
    (reader,) = read(tmp_path, build["stdf"](order=order, up=up))
    np.testing.assert_array_equal(reader.dies.states, states)


def test_stdf_without_its_end_is_tried_again(build: Build, tmp_path: Path) -> None:
    whole = build["stdf"](end=False)
    assert isinstance(whole, bytes)
    for content in (whole, whole[:-3], whole[:40]):
        with pytest.raises(RetryableError):
            read(tmp_path, content)


def test_stdf_records_without_a_body_are_refused(build: Build, tmp_path: Path) -> None:
    whole = build["stdf"]()
    assert isinstance(whole, bytes)
    for kind in (b"\x02\x0a", b"\x02\x14", b"\x05\x14", b"\x01\x28"):
        with pytest.raises(InputError, match="shorter than its fields"):
            read(tmp_path, whole[:6] + b"\x00\x00" + kind + whole[6:])


def test_sinf_lines_may_be_wrapped(build: Build, states: np.ndarray, tmp_path: Path) -> None:
    text = str(build["sinf"]()).replace("RowData:01 02", "RowData:01\n02").replace("\n", "\r\n")
    (reader,) = read(tmp_path, text)
    np.testing.assert_array_equal(reader.dies.states, states)


def test_sinf_that_ends_early_is_tried_again(build: Build, tmp_path: Path) -> None:
    text = str(build["sinf"]())
    for cut in (text[: text.rindex("RowData")], text[:-4]):
        with pytest.raises(RetryableError):
            read(tmp_path, cut)


def test_sinf_counts_must_fit(build: Build, tmp_path: Path) -> None:
    text = str(build["sinf"]())
    for sound, wrong in (("ROWCT:5", "ROWCT:4"), ("01 02 01 01", "01 02 01"), ("COLCT:4", "")):
        with pytest.raises(InputError):
            read(tmp_path, text.replace(sound, wrong))
    with pytest.raises(UnsafeInputError):
        read(tmp_path, text.replace("ROWCT:5", "ROWCT:99999999"))


def test_unknown_bins_fail_with_a_warning(build: Build, states: np.ndarray, tmp_path: Path) -> None:
    text = str(build["g85"]()).replace('BinCode="02"', 'BinCode="03"')
    (reader,) = read(tmp_path, text)
    np.testing.assert_array_equal(reader.dies.states, states)
    assert [warning.code for warning in reader.warnings] == ["unknown-bin"]


@pytest.mark.parametrize(
    "attack",
    [
        '<!DOCTYPE Map [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><Map>&b;</Map>',
        '<!DOCTYPE Map SYSTEM "file:///etc/passwd"><Map/>',
        "<Map>" * 100 + "</Map>" * 100,
    ],
)
def test_xml_attacks_are_refused(attack: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeInputError):
        read(tmp_path, attack)


def test_xml_that_ends_early_is_tried_again(samples: dict[str, bytes], tmp_path: Path) -> None:
    for kind in ("g85", "e142"):
        with pytest.raises(RetryableError):
            read(tmp_path, samples[kind][:-20])


def test_xml_without_bins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no map of bins"):
        read(tmp_path, "<Map><Device/></Map>")


def test_parquet_maps(samples: dict[str, bytes], states: np.ndarray, tmp_path: Path) -> None:
    first, second = read(tmp_path, samples["parquet-maps"])
    np.testing.assert_array_equal(first.dies.states, states)
    np.testing.assert_array_equal(second.dies.states, states.T)
    assert (first.capture.provenance.lot, second.capture.name) == ("3", "map.dat 4")


def test_parquet_maps_of_the_wrong_size_are_refused(build: Build, tmp_path: Path) -> None:
    for height, content in ((2, b"\1\1\1"), (-2, b"\1\1\1\1"), (2_000_000_000, b"\1")):
        with pytest.raises(InputError):
            read(tmp_path, build["parquet"](height=[height], width=[2], map=[content]))


def test_npz_maps(samples: dict[str, bytes], states: np.ndarray, tmp_path: Path) -> None:
    readers = read(tmp_path, samples["npz-maps"])
    assert [reader.capture.provenance.wafer for reader in readers] == ["0", "1"]
    np.testing.assert_array_equal(readers[1].dies.states, states)


def test_one_map_alone_and_in_fortran_order(build: Build, states: np.ndarray, tmp_path: Path) -> None:
    (reader,) = read(tmp_path, build["npz"](maps=np.asfortranarray(states)))
    np.testing.assert_array_equal(reader.dies.states, states)


def test_a_state_nobody_explains_is_not_tested(build: Build, tmp_path: Path) -> None:
    (reader,) = read(tmp_path, build["npz"](arr_0=np.array([[[1, 3], [2, 0]]])))
    assert reader.dies.states.tolist() == [[1, 0], [2, 0]]
    assert [warning.code for warning in reader.warnings] == ["unknown-die-state"]


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", arr_0=np.array([[{}, None]], object))
    with pytest.raises(UnsafeInputError) as caught:
        list(open_captures(tmp_path / "evil.npz"))
    assert caught.value.code == "pickled-array"


@pytest.mark.parametrize("kind", ["pickle", "pickle-new"])
def test_tables_of_old_and_new_pandas(kind: str, samples: dict[str, bytes], states: np.ndarray, tmp_path: Path) -> None:
    first, second = read(tmp_path, samples[kind])
    np.testing.assert_array_equal(first.dies.states, states)
    np.testing.assert_array_equal(second.dies.states, states.T)
    assert (first.capture.provenance.lot, second.capture.provenance.wafer) == ("lot1", "2")


def test_the_old_pickle_names_modules_that_are_gone(samples: dict[str, bytes]) -> None:
    names = {str(arg) for op, arg, _ in pickletools.genops(samples["pickle"]) if op.name == "GLOBAL"}
    assert "pandas.indexes.base _new_Index" in names
    assert not [name for name in names if "conftest" in name]


def test_too_many_wafers_are_refused(samples: dict[str, bytes], tmp_path: Path) -> None:
    for kind in ("parquet-maps", "npz-maps", "pickle"):
        with pytest.raises(UnsafeInputError, match="too many"):
            read(tmp_path, samples[kind], Limits(members=1))
