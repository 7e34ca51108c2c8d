"""A small file of each dialect, and reading from text."""

import io
from collections.abc import Callable
from typing import Protocol

import pytest

from pipelines.ingestion.formats.klarf import Klarf, KlarfLimits, read_klarf, write_klarf

FLAT = """FileVersion 1 2;
FileTimestamp 12-08-25 4:57:03;
InspectionStationID "KLA" "2920" "BF07";
SampleType WAFER;
ResultTimestamp 12-08-2025 04:50:00;
LotID "LOT1";
SampleSize 1 300;
DeviceID "CHIP";
SetupID "recipe" 12-08-2025 04:00:00;
StepID "M1";
SampleOrientationMarkType NOTCH;
OrientationMarkLocation DOWN;
DiePitch 1.0000000000e+04 2.0000000000e+04;
DieOrigin 0.0 0.0;
WaferID "W1";
Slot 3;
SampleCenterLocation 5.0e+003 1.0e+004;
ClassLookup 3
 -1 "unclassified"
 7 "big; round"
 1001 "Scratch";
InspectionTest 1;
SampleTestPlan 3
  0 0
  1 0
  -1 0;
AreaPerTest 6.0e+8;
DefectRecordSpec 9 DEFECTID XREL YREL XINDEX YINDEX DSIZE CLASSNUMBER TEST SIBC;
DefectList
 1 100.5 200.25 0 0 1.5 7 1 0.1
 2 -3.0 20000.0 1 0 NA -1 1 12
 3 1.25e+3 7 -1 0 2 1001 1 -4.5;
SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE;
SummaryList
 1 3 0.5 3 3;
EndOfFile;
"""

NESTED = """Record FileRecord "1.8"
{
  Field FileTimestamp 2 {"12-08-2025", "04:57:03"}
  Record LotRecord "LOT1"
  {
    Record WaferRecord "W1"
    {
      Field DieOrigin 2 {0, 0}
      Field SampleCenterLocation 2 {5000000, 10000000}
      Field SlotNumber 1 {3}
      List DefectList
      {
        Columns 7 { int32 DEFECTID, int32 XREL, int32 YREL, int32 XINDEX, int32 YINDEX,
          int32 TEST, ImageList IMAGEINFO }
        Data 3
        {
          1 100500 200250 0 0 1 N ;
          2 -3000 20000000 1 0
             1 Images 2 {"a.jpg" "JPG" 1 "Patch", "b.tif" "TIF" 2 "24"} ;
          3 1250000 7000 -1 0 1 N;
        }
      }
      Record TestRecord "1"
      {
        Field AreaPerTest 1 {6.0e+14}
        List SampleTestPlanList
        {
          Columns 2 { int32 XINDEX, int32 YINDEX }
          Data 3 { 0 0 ; 1 0 ; -1 0 ; }
        }
      }
      Record SummaryRecord
      {
        List TestSummaryList
        {
          Columns 5 { int32 TESTNO, int32 NDEFECT, float DEFDENSITY, int32 NDIE, int32 NDEFDIE }
          Data 1 { 1 3 0.5 3 3 ; }
        }
      }
    }
    Field DeviceID 1 {"CHIP"}
    Field DiePitch 2 {10000000, 20000000}
    Field InspectionStationID 3 {"KLA", "2920", "BF07"}
    Field OrientationMarkLocation 1 {0}
    Field ResultTimestamp 2 {"2025-12-08", "04:50:00"}
    Field SampleSize 2 {300000000, 0}
    Field StepID 1 {"M1"}
    List ClassLookupList
    {
      Columns 3 { int32 CLASSNUMBER, string CLASSNAME, string CLASSCODE }
      Data 2 { -1 "unclassified" ""; 1001 "Scratch" "S"; }
    }
  }
}
EndOfFile;
"""


class ReadText(Protocol):
    def __call__(
        self, text: str | bytes, *, mode: str = "strict", block: int | None = None, **limits: int
    ) -> Klarf: ...


@pytest.fixture(scope="session")
def flat() -> str:
    return FLAT


@pytest.fixture(scope="session")
def nested() -> str:
    return NESTED


@pytest.fixture(scope="session")
def read() -> ReadText:
    """Read a file from text; `block` bytes at a time, to try every place where a block can end."""

    def read_text(text: str | bytes, *, mode: str = "strict", block: int | None = None, **limits: int) -> Klarf:
        data = text.encode("latin-1") if isinstance(text, str) else text
        bounds = KlarfLimits(**({"block_bytes": block} if block else {}), **limits)
        return read_klarf(io.BytesIO(data), mode=mode, limits=bounds, name="lot.001")

    return read_text


@pytest.fixture(scope="session")
def written() -> Callable[..., bytes]:
    """The bytes of a file."""

    def write_bytes(klarf: Klarf, newline: str = "\n") -> bytes:
        stream = io.BytesIO()
        write_klarf(klarf, stream, newline=newline)
        return stream.getvalue()

    return write_bytes
