"""Writing: deterministic, only into new files, and only what can be read again."""

import dataclasses
import io

import numpy as np
import pytest

from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion.formats.klarf import Klarf, read_klarf, write_klarf
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import ColumnType, DefectRows, Field, Listing, Record, Statement


def test_a_written_file_reads_back(read, written, flat, nested) -> None:
    for text in (flat, nested):
        assert read(written(read(text))) == read(text)
        assert read(written(read(text), "\r\n")) == read(text)


def test_the_bytes_of_the_rows(read, written, flat) -> None:
    rows = written(read(flat)).decode().split("DefectList")[1].split("SummarySpec")[0]
    assert rows == (
        "\n 1 100.5 200.25 0 0 1.5 7 1 0.1\n 2 -3.0 20000.0 1 0 NA -1 1 12.0\n 3 1250.0 7.0 -1 0 2.0 1001 1 -4.5;\n"
    )


def test_the_bytes_of_nested_rows(read, written, nested) -> None:
    text = written(read(nested)).decode()
    assert '2 -3000 20000000 1 0 1 Images 2 {"a.jpg" "JPG" 1 "Patch", "b.tif" "TIF" 2 "24"} ;\n' in text
    assert "1 100500 200250 0 0 1 N ;\n" in text
    assert "Field DiePitch 2 {10000000, 20000000}\n" in text


def test_counts_are_computed(written) -> None:
    table = Defects((ColumnType("A", "int32"),), {"A": np.arange(3)})
    wafer = Record("WaferRecord", "", (Field("F", '"x", 2'), DefectRows(0, 1, 3), Listing("L", (), "1 ; 2 ;")))
    text = written(Klarf("1.8", (Record("FileRecord", "1.8", (wafer,)),), (table,))).decode()
    assert "Field F 2 {" in text
    assert "Data 2\n" in text
    assert "Columns 0 {" in text
    assert "Record WaferRecord\n" in text, "no empty label"


def test_an_existing_file_is_never_touched(tmp_path, read, flat) -> None:
    path = tmp_path / "lot.001"
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="will not write over a file"):
        write_klarf(read(flat), path)
    assert path.read_text() == "precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["lot.001"]


def test_a_failed_write_leaves_nothing(tmp_path, read, flat) -> None:
    klarf = read(flat)
    broken = dataclasses.replace(klarf, parts=(*klarf.parts, Statement("X", 'a "b')))
    with pytest.raises(InputError, match="statement cannot be written"):
        write_klarf(broken, tmp_path / "new.001")
    assert not list(tmp_path.iterdir())


def test_a_new_file(tmp_path, read, flat) -> None:
    write_klarf(read(flat), tmp_path / "new.001")
    assert read_klarf(tmp_path / "new.001") == read(flat)
    assert [entry.name for entry in tmp_path.iterdir()] == ["new.001"]


def test_file_systems_without_links(tmp_path, read, flat, monkeypatch) -> None:
    def refuse(*_) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", refuse)
    write_klarf(read(flat), tmp_path / "new.001")
    assert read_klarf(tmp_path / "new.001") == read(flat)
    with pytest.raises(ConfigurationError):
        write_klarf(read(flat), tmp_path / "new.001")
    assert [entry.name for entry in tmp_path.iterdir()] == ["new.001"]


@pytest.mark.parametrize(
    "part",
    [
        Statement("X", "a; EndOfFile"),
        Statement("X", 'open "quote'),
        Statement("X Y", "a"),
        Statement("DefectList", "1 2 3"),
        Statement("EndOfFile"),
        Statement('X"', "a"),
        Field("X", "1"),
    ],
)
def test_statements_that_would_say_something_else(written, part) -> None:
    with pytest.raises(InputError):
        written(Klarf("1.2", (Statement("FileVersion", "1 2"), part)))


@pytest.mark.parametrize(
    "part",
    [
        Field("X", "1} Field Y 1 {2"),
        Field("X", 'open "quote'),
        Field("X", "{ 1"),
        Listing("L", (), "1 ; } "),
        Statement("X", "1"),
    ],
)
def test_parts_that_would_say_something_else(written, part) -> None:
    with pytest.raises(InputError):
        written(Klarf("1.8", (Record("FileRecord", "1.8", (part,)),)))


def test_only_records_at_the_top_of_a_nested_file(written) -> None:
    with pytest.raises(InputError):
        written(Klarf("1.8", (Field("X", "1"),)))


def test_names_that_need_quotes_get_them(read, written) -> None:
    record = Record("FileRecord", "1.8", (Field("a b", "1"), Listing("c,d", (ColumnType("E{", "my type"),), "1 ;")))
    klarf = Klarf("1.8", (record,))
    assert read(written(klarf)) == klarf


def test_rows_must_fit_their_spec(read, written, flat) -> None:
    klarf = read(flat)
    parts = tuple(part for part in klarf.parts if not (isinstance(part, Statement) and part.is_a("DefectRecordSpec")))
    with pytest.raises(InputError, match="do not fit their DefectRecordSpec"):
        written(dataclasses.replace(klarf, parts=parts))


@pytest.mark.parametrize(
    ("name", "values", "cells"),
    [
        ("A", np.array([1, -2]), ["1", "-2"]),
        ("A", np.array([0.1, 1e16]), ["0.1", "1.0e+16"]),
        ("A", np.array([np.nan, 1e-5]), ["NA", "1.0e-05"]),
        ("A", np.array([True, False]), ["1", "0"]),
        ("A", np.array(["x", "a b"]), ["x", '"a b"']),
        ("A", np.array(["NA", "12"]), ['"NA"', '"12"']),
        ("A", np.array(["", 'say "hi";']), ['""', "\"say 'hi';\""]),
        ("XREL", np.array([1, 2]), ["1.0", "2.0"]),
        ("DEFECTID", np.array([1.0, 2.0]), ["1", "2"]),
        ("DEFECTID", np.array([1.0, np.nan]), ["1.0", "NA"]),
    ],
)
def test_cells(written, name: str, values, cells: list[str]) -> None:
    table = Defects((ColumnType(name),), {name: values})
    parts = (Statement("WaferID", "1"), Statement("DefectRecordSpec", f"1 {name}"), DefectRows(0, 0, 2))
    text = written(Klarf("1.2", parts, (table,))).decode()
    assert text.split("DefectList\n ")[1].split(";\nEnd")[0].split("\n ") == cells


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("A", np.array([np.inf])),
        ("XREL", np.array(["x"])),
        ("A", np.zeros((2, 2))),
        ("A", np.array([1j])),
        ("B", np.zeros(1)),
    ],
)
def test_columns_that_no_file_can_hold(name: str, values) -> None:
    with pytest.raises(InputError):
        Defects((ColumnType("A" if name == "B" else name),), {name: values})


def test_streams_are_left_open(read, flat) -> None:
    stream = io.BytesIO()
    write_klarf(read(flat), stream)
    assert not stream.closed
