"""What an installation knows of its files changes where defects lie, and is then another capture."""

from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion import PointColumns, PointReader, ReadOptions, ToolFrame, ValueRange, open_captures


@pytest.fixture
def file(tmp_path: Path, samples: dict[str, bytes]) -> Path:
    path = tmp_path / "wafer.001"
    path.write_bytes(samples["klarf"])
    return path


def opened(path: Path, options: ReadOptions | None = None) -> PointReader:
    (reader,) = open_captures(path, options=options)
    assert isinstance(reader, PointReader)
    return reader


def written(folder: Path, text: str) -> Path:
    path = folder / "reading.yaml"
    path.write_text(text)
    return path


def test_a_tool_that_mirrors(file: Path, tmp_path: Path) -> None:
    options = ReadOptions.load(written(tmp_path, "tools: {EYE01: {mirrored: true}}"))
    plain, mirrored = opened(file), opened(file, options)
    np.testing.assert_allclose(mirrored.points.x_um, -plain.points.x_um)
    np.testing.assert_allclose(mirrored.points.y_um, plain.points.y_um)
    assert mirrored.capture.id != plain.capture.id, "the same bytes, read otherwise, are another capture"
    assert opened(file, options).capture.id == mirrored.capture.id


@pytest.mark.parametrize("text", ["", "tools: {OTHER: {mirrored: true}}", "tools: {EYE01: {}}", "lenient: true"])
def test_what_says_nothing_of_this_file_changes_nothing(file: Path, tmp_path: Path, text: str) -> None:
    options = ReadOptions.load(written(tmp_path, text))
    assert opened(file, options).capture.id == opened(file).capture.id


def test_columns_of_a_table(tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text("X,Y\n1.5,-2\n")
    with pytest.raises(InputError, match="table without coordinates"):
        opened(table)
    options = ReadOptions.load(written(tmp_path, "points: {x: X, y: Y, unit_um: 1000, diameter_um: 200000}"))
    reader = opened(table, options)
    assert (reader.points.x_um.item(), reader.points.y_um.item()) == (1500, -2000)
    assert reader.capture.height == 200_000
    other = ReadOptions(points=PointColumns(x="X", y="Y"))
    assert opened(table, other).capture.id != reader.capture.id


def test_the_example_that_is_shipped() -> None:
    options = ReadOptions.load(Path(__file__).parents[3] / "deploy" / "reading.yaml")
    assert options.points == PointColumns()
    assert options.tools == {"EXAMPLE-01": ToolFrame(mirrored=True, centred=False, quarter_turns=2)}


def test_values_of_images(tmp_path: Path) -> None:
    assert ReadOptions.load(written(tmp_path, "values: {low: 0, high: 4095}")).values == ValueRange(0, 4095)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tool: {}", "tool"),
        ("tools: {A: {mirored: true}}", "tools.A.mirored"),
        ("tools: {A: {mirrored: 2}}", "tools.A.mirrored"),
        ("tools: {A: {quarter_turns: 5}}", "quarter turns"),
        ("points: {x: 1}", "points.x"),
        ("- 1", "reading.yaml"),
        ("{", "reading.yaml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        ReadOptions.load(written(tmp_path, text))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read reading options"):
        ReadOptions.load(tmp_path / "nothing.yaml")
