"""Coverage-guided fuzzing of the KLARF reader; not part of the test suite.

    python -m pip install atheris        # CPython 3.11 to 3.13
    python tests/fuzz/klarf_atheris.py CORPUS_FOLDER -max_total_time=600

The corpus folder is filled with small sound files if it is empty. A file that breaks the reader is written to the
working directory as `crash-…` or `timeout-…`; make a case of it in
tests/pipelines/ingestion/formats/klarf/test_fuzz.py.
"""

import io
import sys
from datetime import datetime
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["pipelines.ingestion.formats.klarf"]):
    from models.domain.errors import InputError, RetryableError
    from pipelines.ingestion.formats.klarf import (
        KlarfLimits,
        NewLot,
        NewWafer,
        Point,
        new_klarf,
        read_klarf,
        write_klarf,
    )

import numpy as np

BLOCKS = (1 << 20, 256, 64, 24)
IMAGES = b"""FileVersion 1 1;
LotID A;
WaferID "W";
DefectRecordSpec 6 DEFECTID XREL YREL TEST IMAGECOUNT IMAGELIST;
TiffFileName a.tif;
DefectList
 1 1.5 2.5 1 0 0
 2 1.5e+003 2.5E1 1 2 2 1 0
   2 5
 3 NA -0.0 1 1 1 3 0;
DefectList;
SummarySpec 2 TESTNO NDEFECT;
SummaryList 1 3;
EndOfFile;
"""
NESTED_IMAGES = b"""Record FileRecord "1.8" { Record LotRecord "L" { Field DiePitch 2 {1, 2} Record WaferRecord "W" {
List DefectList { Columns 3 {int32 DEFECTID, string NOTE, ImageList IMAGEINFO} Data 2 {
1 "a b" N ; 2 c Images 1 {"a.jpg" "JPG" 1 "Patch"} ; } } } } }
EndOfFile;
"""


def sound_files() -> list[bytes]:
    """One small file for each dialect and kind of list."""
    lot = NewLot(
        lot="L", product="P", step="S", inspected_at=datetime(2025, 1, 2), diameter_mm=1, die_pitch_um=Point(400, 400)
    )
    wafer = NewWafer(wafer="W", x_um=np.array([1.0, -200.5]), y_um=np.array([3.25, 90.0]))
    files = [IMAGES, NESTED_IMAGES]
    for version in ("1.2", "1.8"):
        stream = io.BytesIO()
        write_klarf(new_klarf(lot, [wafer, wafer], version), stream)
        files.append(stream.getvalue())
    return files


def read_and_write(data: bytes) -> None:
    """What is read must be written and read again as the same; what is not read must be refused by an error of ours."""
    if not data:
        return
    limits = KlarfLimits(block_bytes=BLOCKS[data[-1] % len(BLOCKS)])
    for mode in ("strict", "lenient"):
        try:
            klarf = read_klarf(io.BytesIO(data), mode=mode, limits=limits)
        except (InputError, RetryableError):
            continue
        stream = io.BytesIO()
        write_klarf(klarf, stream)
        if read_klarf(io.BytesIO(stream.getvalue()), mode="lenient", limits=limits) != klarf:
            raise AssertionError("a written file reads back as another")


def main() -> None:
    """Fill the corpus if need be, and fuzz."""
    folders = [Path(word) for word in sys.argv[1:] if not word.startswith("-")]
    if folders:
        folders[0].mkdir(parents=True, exist_ok=True)
        if not any(folders[0].iterdir()):
            for ordinal, data in enumerate(sound_files()):
                (folders[0] / f"sound-{ordinal}").write_bytes(data)
    atheris.Setup([sys.argv[0], "-timeout=5", "-max_len=8192", *sys.argv[1:]], read_and_write)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
