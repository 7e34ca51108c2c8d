"""Reading KLARF: against pandas on the table alone, against klarf-reader, in bounded memory, flat in size.

    python -m benchmarks.klarf_parse [--defects 1000000] [--largest 10000000] [--klarf-reader PYTHON] [--rounds 3]

About two minutes, of which klarf-reader takes most, and 1.5 GB of disk.

Every measurement runs in a process of its own, the contestants in turn, and the best of the rounds counts. Times are
processor seconds, because all contestants use one thread and other work may keep the clock from meaning anything;
memory is the peak of the process, interpreter included. Asserts:

* `read_klarf` of the whole file takes at most 1.3 times what pandas' C reader takes for the bare table;
* it is at least 10 times faster than `klarf-reader` (skipped where `--klarf-reader` names no Python that has it);
* it peaks at 200 MB at most for 10^6 defects of 17 columns;
* the time per defect is flat from 10^4 to 10^7 defects: no file costs more than 1.5 times as much per defect as a
  smaller one, nor more than 2.5 times as much as the cheapest (a file as such costs 3 ms of statements and fresh
  memory, a third of the time of 10^4 defects).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

SLOWER_THAN_PANDAS = 1.3
FASTER_THAN_KLARF_READER = 10.0
MEMORY_MB = 200.0
GROWTH = 1.5
SPREAD = 2.5
COLUMNS = (
    "DEFECTID XREL YREL XINDEX YINDEX XSIZE YSIZE DEFECTAREA DSIZE CLASSNUMBER TEST CLUSTERNUMBER ROUGHBINNUMBER "
    "FINEBINNUMBER REVIEWSAMPLE IMAGECOUNT DYN_CLUSTER_ID"
)
HEAD = f"""FileVersion 1 2;
FileTimestamp 01-01-20 00:00:00;
InspectionStationID "MAKER" "MODEL" "TOOL";
SampleType WAFER;
ResultTimestamp 01-01-20 00:00:00;
LotID "LOT";
SampleSize 1 300;
DeviceID "CHIP";
SetupID "RECIPE" 01-01-20 00:00:00;
StepID "STEP";
SampleOrientationMarkType NOTCH;
OrientationMarkLocation DOWN;
DiePitch 3.3999760000e+03 3.7999690000e+03;
DieOrigin 0.0000000000e+00 0.0000000000e+00;
WaferID "04";
Slot 7;
SampleCenterLocation 2.4695530000e+03 2.3026940000e+03;
InspectionTest 1;
AreaPerTest 6.6405200212e+10;
DefectRecordSpec 17 {COLUMNS};
DefectList
"""
LAST_CELLS = "1 0 12 0 0 0 -1"
KLARF_READER = """
import json, resource, sys, time
from pathlib import Path
from klarf_reader.klarf import Klarf
begun = time.process_time()
content = Klarf.load_from_file(filepath=Path(sys.argv[1]))
seconds = time.process_time() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak, "defects": len(content.wafers[0].defects)}))
"""


def rows(defects: int) -> list[str]:
    """Rows without id, as an optical tool prints them; some tens of thousands, which are then repeated."""
    rng = np.random.default_rng(1)
    some = min(defects, 1 << 15)
    place = rng.uniform(0, 3399, (some, 2))
    size = rng.exponential(2, (some, 2))
    die = rng.integers(-42, 42, (some, 2))
    kind = rng.integers(0, 100, some)
    form = "{:.3f} {:.3f} {} {} {:.3f} {:.3f} {:.6f} {:.3f} {} " + LAST_CELLS
    return [
        form.format(x, y, column, row, width, height, width * height, height, class_)
        for (x, y), (column, row), (width, height), class_ in zip(
            place.tolist(), die.tolist(), size.tolist(), kind.tolist(), strict=True
        )
    ]


def make(folder: Path, defects: int) -> tuple[Path, Path]:
    """A KLARF file with so many defects, and its table alone."""
    klarf, table = folder / f"{defects}.klarf", folder / f"{defects}.table"
    some = rows(defects)
    ids = count(1)
    with klarf.open("w") as whole, table.open("w") as bare:
        whole.write(HEAD)
        left = defects
        while left:
            text = "\n".join(f" {id_} {row}" for id_, row in zip(ids, islice(some, left), strict=False))
            taken = min(left, len(some))
            left -= taken
            ids = count(defects - left + 1)
            whole.write(text + ("\n" if left else ";\n"))
            bare.write(text + "\n")
        whole.write("SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE ;\n")
        whole.write(f"SummaryList\n 1 {defects} 1.7887600708e+02 1125 120;\nEndOfFile;\n")
    return klarf, table


def read_ours(path: str) -> dict[str, Any]:
    """Read the file whole, all columns, strictly."""
    from pipelines.ingestion.formats.klarf.reader import read_klarf  # noqa: PLC0415 — each child imports its own

    begun = time.process_time()
    klarf = read_klarf(path)
    return {"seconds": time.process_time() - begun, "defects": len(klarf.wafers[0].defects)}


def read_warm(path: str) -> dict[str, Any]:
    """The best of five reads in one process: what the first one loads is no cost of the file."""
    return best([read_ours(path) for _ in range(5)])


def read_pandas(path: str) -> dict[str, Any]:
    """Read the bare table with pandas' C reader."""
    import pandas as pd  # noqa: PLC0415

    begun = time.process_time()
    table = pd.read_csv(path, sep=r"\s+", header=None, engine="c")
    return {"seconds": time.process_time() - begun, "defects": len(table)}


def child(*command: str) -> dict[str, Any]:
    """Run one measurement."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def best(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The fastest run."""
    return min(runs, key=lambda run: float(run["seconds"]))


def main() -> None:
    """Measure, print and assert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--defects", type=int, default=1_000_000)
    parser.add_argument("--largest", type=int, default=10_000_000, help="of the series for time per defect")
    parser.add_argument("--only-series", action="store_true", help="leave the comparison out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--klarf-reader", default="", help="a Python interpreter that has the package klarf-reader")
    parser.add_argument("--read", nargs=2, metavar=("WHO", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        who, path = options.read
        result = {"ours": read_ours, "warm": read_warm, "pandas": read_pandas}[who](path)
        result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result))
        return
    with tempfile.TemporaryDirectory() as folder:
        if not options.only_series:
            compare(Path(folder), options)
        series(Path(folder), options)


def compare(folder: Path, options: argparse.Namespace) -> None:
    """Against pandas and klarf-reader."""
    klarf, table = make(folder, options.defects)
    this = (sys.executable, "-m", "benchmarks.klarf_parse", "--read")
    ours, pandas = [], []
    for _ in range(options.rounds):
        ours.append(child(*this, "ours", str(klarf)))
        pandas.append(child(*this, "pandas", str(table)))
    mine, theirs = best(ours), best(pandas)
    assert mine["defects"] == theirs["defects"] == options.defects
    ratio = mine["seconds"] / theirs["seconds"]
    peak = max(run["peak_mb"] for run in ours)
    print(f"{options.defects} defects, {klarf.stat().st_size / 1e6:.0f} MB")
    print(f"  ours          {mine['seconds']:6.2f} s  {peak:5.0f} MB")
    print(f"  pandas, table {theirs['seconds']:6.2f} s  {theirs['peak_mb']:5.0f} MB   ours / pandas = {ratio:.2f}")
    assert ratio <= SLOWER_THAN_PANDAS, f"{ratio:.2f} times the time of pandas"
    if options.defects == 1_000_000:
        assert peak <= MEMORY_MB, f"peak memory {peak:.0f} MB"
    if not options.klarf_reader:
        print("  klarf-reader  skipped: --klarf-reader names no interpreter")
        return
    other = child(options.klarf_reader, "-c", KLARF_READER, str(klarf))
    speed = other["seconds"] / mine["seconds"]
    print(f"  klarf-reader  {other['seconds']:6.2f} s  {other['peak_mb']:5.0f} MB   {speed:.0f} times slower than ours")
    assert other["defects"] == options.defects
    assert speed >= FASTER_THAN_KLARF_READER, f"only {speed:.1f} times faster than klarf-reader"


def series(folder: Path, options: argparse.Namespace) -> None:
    """Time per defect from 10^4 on."""
    micros = {}
    size = 10_000
    while size <= options.largest:
        klarf, table = make(folder, size)
        table.unlink()
        run = child(sys.executable, "-m", "benchmarks.klarf_parse", "--read", "warm", str(klarf))
        klarf.unlink()
        assert run["defects"] == size
        micros[size] = run["seconds"] / size * 1e6
        print(f"  {size:>9} defects  {micros[size]:.2f} µs each")
        size *= 10
    costs = list(micros.values())
    growth = max(later / costs[i] for i in range(len(costs)) for later in costs[i:])
    spread = max(costs) / min(costs)
    print(f"  at most {growth:.2f} times a smaller file (< {GROWTH}), {spread:.2f} times the cheapest (< {SPREAD})")
    assert growth < GROWTH, "time per defect grows"
    assert spread < SPREAD, "time per defect is not flat"


if __name__ == "__main__":
    main()
