"""Cutting wafers: against parsing them, and against the number of their defects.

    python -m benchmarks.tiling [--defects 1000000] [--maps 50000]

Asserts, all in processor seconds of one run, so that neighbours on the machine count little:
* all 341 windows of levels 0 to 4 of a wafer take less than parsing its KLARF file;
* a window without defects costs the same on a wafer of a million as on one of ten thousand: the cost follows the
  defects in the window, not those elsewhere;
* 50,000 die maps are drawn at 64 x 64 in less than a minute.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from models.domain.tiling import Tiling, Window, plan, pyramid
from pipelines.ingestion import PointReader, cut, open_captures, render_die_maps, render_points
from pipelines.ingestion.formats.klarf import NewLot, NewWafer, Point, new_klarf, write_klarf

LEVELS = Tiling(tile=64, levels=(0, 1, 2, 3, 4))
T = TypeVar("T")


def seconds(work: Callable[[], T]) -> tuple[float, T]:
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def klarf_of(defects: int, folder: Path) -> Path:
    """A wafer with a scratch of defects over a uniform background, none in its right lower corner."""
    rng = np.random.default_rng(defects)
    radius, angle = 149_000 * np.sqrt(rng.random(defects)), 2 * np.pi * rng.random(defects)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    scratch = rng.random(defects) < 0.2
    x = np.where(scratch, np.linspace(-80_000, 60_000, defects), x)
    y = np.where(scratch, x * 0.5 + rng.normal(0, 300, defects), y)
    corner = (x > 20_000) & (y < -20_000)
    x, y = np.where(corner, -x, x), np.where(corner, -y, y)
    lot = NewLot(
        lot="L",
        product="P",
        step="S",
        inspected_at=datetime(2026, 1, 1),
        diameter_mm=300,
        die_pitch_um=Point(8_000, 10_000),
    )
    path = folder / f"{defects}.001"
    write_klarf(new_klarf(lot, [NewWafer(wafer="W", x_um=x, y_um=y)]), path)
    return path


def opened(path: Path) -> PointReader:
    (reader,) = open_captures(path)
    assert isinstance(reader, PointReader)
    return reader


def empty_window_seconds(reader: PointReader) -> float:
    """Of a window at level 4 in the corner without defects."""
    level = pyramid(reader.capture, 64)[4]
    window = Window(level, level.height * 3 // 4, level.width * 5 // 8, 64, 64)
    points = reader.points
    assert not render_points(points, window).pixels[..., 0].any()
    return min(seconds(lambda: [render_points(points, window) for _ in range(200)])[0] for _ in range(5)) / 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--defects", type=int, default=1_000_000)
    parser.add_argument("--maps", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = klarf_of(options.defects, Path(folder))
        parsing, reader = seconds(lambda: opened(path))
        cutting, windows = seconds(lambda: sum(1 for _ in cut(reader, LEVELS)))
        assert windows == sum(4**level for level in LEVELS.levels) == len(list(plan(reader.capture, LEVELS)))
        few = opened(klarf_of(10_000, Path(folder)))
        few_empty, many_empty = empty_window_seconds(few), empty_window_seconds(reader)
    rng = np.random.default_rng(0)
    sizes = [(25, 27), (26, 26), (38, 36), (52, 52), (71, 60)]
    maps = [rng.integers(0, 3, sizes[i % len(sizes)]).astype(np.uint8) for i in range(options.maps)]
    drawing, pixels = seconds(lambda: render_die_maps(maps, 64))
    assert len(pixels) == options.maps
    share, growth, each = cutting / parsing, many_empty / few_empty, drawing / options.maps
    print(f"parse {options.defects:,} defects            {parsing:8.3f} s")
    print(f"index and cut {windows} windows         {cutting:8.3f} s   {share:.2f} of parsing (< 1)")
    print(f"empty window of 10,000 defects      {few_empty * 1e6:8.0f} µs")
    print(f"empty window of {options.defects:,} defects   {many_empty * 1e6:8.0f} µs  x {growth:.2f} (< 2)")
    print(f"draw {options.maps:,} die maps at 64 x 64     {drawing:8.2f} s   {each * 50_000:.1f} s per 50,000 (< 60)")
    assert cutting < parsing
    assert growth < 2
    assert each * 50_000 < 60


if __name__ == "__main__":
    main()
