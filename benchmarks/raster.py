"""Cutting a huge image: against decoding alone, and in bounded memory.

    python -m benchmarks.raster [--side 40000] [--bands 1] [--folder /tmp]

Makes a tiled TIFF, decodes it with the library alone, row of tiles by row of tiles (`raw`), and cuts it end to end
through `open_captures`: header checks, decoding in the child, patches (`cut`). The hash is known, as it is of every
file in a spool, which is hashed while it is copied. Each runs in a process of its own and is measured three times, in
turn; the best counts. Asserts that cutting, the start of the child included, reaches 0.8 of the raw rate by the clock,
and that the peak memory of both processes of `cut` together stays below 500 MB. Cutting uses two cores and decoding
alone one: on a machine that others use, the clock is unfair to it. Needs free disk of about the image's size.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from models.domain.tiling import Tiling
from pipelines.ingestion import cut, isolation, open_captures

TILE = 512
RATE = 0.8
MEMORY_MB = 500
KNOWN = "0" * 64


def make(path: Path, side: int, bands: int) -> None:
    """Smooth texture with noise, which compresses about as aerial images do."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (bands, TILE // 32 + 1, TILE // 32 + 1)).repeat(32, 1).repeat(32, 2)
    noise = rng.integers(0, 16, (4, bands, TILE, TILE))
    tiles = [(coarse[:, :TILE, :TILE] + one).astype(np.uint8) for one in noise]
    profile = {"driver": "GTiff", "width": side, "height": side, "count": bands, "dtype": "uint8", "tiled": True}
    profile |= {"blockxsize": TILE, "blockysize": TILE, "compress": "deflate", "zlevel": 1, "interleave": "pixel"}
    with rasterio.open(path, "w", BIGTIFF="IF_SAFER", NUM_THREADS=2, **profile) as target:
        for top in range(0, side, TILE):
            for left in range(0, side, TILE):
                height, width = min(TILE, side - top), min(TILE, side - left)
                pixels = tiles[(top // TILE * 7 + left // TILE) % len(tiles)][:, :height, :width]
                target.write(pixels, window=Window(left, top, width, height))


def raw(path: Path) -> dict[str, Any]:
    """Decode everything, a row of tiles at a time, and do nothing with it."""
    begin, before = time.perf_counter(), time.process_time()
    with rasterio.Env(GDAL_CACHEMAX=64 << 20, GDAL_NUM_THREADS="1"), rasterio.open(path) as image:
        for top in range(0, image.height, TILE):
            image.read(window=Window(0, top, image.width, min(TILE, image.height - top)))
    return {"seconds": time.perf_counter() - begin, "processor": [time.process_time() - before]}


def cut_all(path: Path) -> dict[str, Any]:
    """Cut everything at the image's own pixels, end to end."""
    begin, before = time.perf_counter(), time.process_time()
    (reader,) = open_captures(path, sha256=KNOWN)
    windows, total = 0, 0
    for patch in cut(reader, Tiling(tile=TILE, levels=(-1,))):
        windows += 1
        total += int(patch.pixels[0, 0, 0])
    seconds = time.perf_counter() - begin
    (child,) = isolation._idle
    peaks = [_peak_mb("self"), _peak_mb(str(child._process.pid))]
    processor = [time.process_time() - before, _processor_seconds(child._process.pid)]
    return {"seconds": seconds, "processor": processor, "windows": windows, "peaks_mb": peaks, "sum": total}


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(process: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _apart(task: str, path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """A task in a process of its own, whose memory is nobody else's."""
    command = [sys.executable, "-m", "benchmarks.raster", "--task", task, "--path", str(path)]
    command += ["--side", str(options.side), "--bands", str(options.bands)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(answer.strip().splitlines()[-1])  # type: ignore[no-any-return]


def compare(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "huge.tif"
        _apart("make", path, options)
        size = path.stat().st_size / 1e6
        print(f"{options.side} x {options.side} x {options.bands}, tiles of {TILE}, {size:.0f} MB on disk")
        runs: dict[str, list[dict[str, Any]]] = {"raw": [], "cut": []}
        for task in ("raw", "cut") * 3:
            runs[task].append(_apart(task, path, options))
    pixels = options.side**2 * options.bands / 1e6
    alone, ours = (min(runs[task], key=lambda run: float(run["seconds"])) for task in ("raw", "cut"))
    ratio = alone["seconds"] / ours["seconds"]
    peak = max(sum(run["peaks_mb"]) for run in runs["cut"])
    for what, run in (("decode alone  ", alone), ("cut end to end", ours)):
        used = " + ".join(f"{seconds:.2f}" for seconds in run["processor"])
        print(f"{what}  {run['seconds']:6.2f} s  {pixels / run['seconds']:5.0f} MB/s  processor {used} s")
    print(f"{ratio:.2f} of the raw rate (>= {RATE})")
    print(f"{runs['cut'][0]['windows']} windows; peak memory {peak:.0f} MB, both processes (< {MEMORY_MB})")
    assert ratio >= RATE
    assert peak < MEMORY_MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=40_000)
    parser.add_argument("--bands", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--task", choices=("make", "raw", "cut"), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.task is None:
        compare(options)
    elif options.task == "make":
        make(options.path, options.side, options.bands)
        print("{}")
    else:
        print(json.dumps(raw(options.path) if options.task == "raw" else cut_all(options.path)))


if __name__ == "__main__":
    main()
