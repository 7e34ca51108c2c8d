"""Small sound files of every format, built here so that no file of others is needed."""

import gzip
import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

STATES = np.array([[0, 1, 1, 0], [1, 2, 1, 1], [1, 1, 1, 2], [0, 1, 2, 0], [0, 0, 1, 0]], np.uint8)
"""Five rows of four dies, like nothing when turned or mirrored."""

KLARF = """FileVersion 1 2;
FileTimestamp 01-02-26 03:04:05;
InspectionStationID "ACME" "EYE" "EYE01";
ResultTimestamp 01-02-26 03:00:00;
LotID "LOT1";
SampleSize 1 300;
DeviceID "CHIP";
StepID "ETCH";
OrientationMarkLocation DOWN;
DiePitch 10000 20000;
DieOrigin 0 0;
WaferID "W01";
Slot 1;
SampleCenterLocation 5000 10000;
InspectionTest 1;
SampleTestPlan 3
 0 0
 1 0
 -1 2;
AreaPerTest 600000000;
DefectRecordSpec 7 DEFECTID XREL YREL XINDEX YINDEX CLASSNUMBER TEST;
DefectList
 1 1000.5 2000.25 0 0 1 1
 2 9000 19000 1 0 2 1;
SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE;
SummaryList
 1 2 0.333 3 2;
EndOfFile;
"""


def sinf(states: np.ndarray = STATES, fnloc: int = 180) -> str:
    codes = np.array(["__", "01", "02"])[states]
    rows = "\n".join("RowData:" + " ".join(row) for row in codes)
    tall, wide = states.shape
    return (
        f"DEVICE:CHIP\nLOT:LOT1\nWAFER:W07\nFNLOC:{fnloc}\nROWCT:{tall}\nCOLCT:{wide}\nBCEQU:01\n"
        f"REFPX:0\nREFPY:0\nDUTMS:mm\nXDIES:1\nYDIES:2\n{rows}\n"
    )


def g85(states: np.ndarray = STATES, origin: int = 2, orientation: int = 0) -> str:
    codes = np.array(["FF", "01", "02"])[states]
    rows = "".join(f"<Row><![CDATA[{''.join(row)}]]></Row>" for row in codes)
    tall, wide = states.shape
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<Map xmlns="http://www.semi.org" WaferId="W07" FormatRevision="G85-0703">'
        f'<Device BinType="HexaDecimal" LotId="LOT1" NullBin="FF" Rows="{tall}" Columns="{wide}" WaferSize="300"'
        f' OriginLocation="{origin}" Orientation="{orientation}" ProductId="CHIP" CreateDate="20260102030405">'
        '<Bin BinCode="1" BinQuality="Pass" BinCount="8"/><Bin BinCode="02" BinQuality="Fail" BinCount="3"/>'
        f'<Data MapName="m" Version="1">{rows}</Data></Device></Map>'
    )


def e142(states: np.ndarray = STATES, origin: str = "UpperLeft") -> str:
    codes = np.array(["FFFF", "0001", "0002"])[states]
    rows = "".join(f"<BinCode>{''.join(row)}</BinCode>" for row in codes)
    return (
        '<?xml version="1.0"?><MapData xmlns="urn:semi-org:xsd.E142-1.V1005.SubstrateMap"><Layouts>'
        '<Layout LayoutId="CHIP" DefaultUnits="mm" TopLevel="true"><Dimension X="1" Y="1"/></Layout>'
        f'<Layout LayoutId="Die"><Dimension X="{states.shape[1]}" Y="{states.shape[0]}"/></Layout></Layouts>'
        '<Substrates><Substrate SubstrateType="Wafer" SubstrateId="W07"><LotId>LOT1</LotId></Substrate></Substrates>'
        '<SubstrateMaps><SubstrateMap SubstrateType="Wafer" SubstrateId="W07" LayoutSpecifier="Die" Orientation="0"'
        f' OriginLocation="{origin}" AxisDirection="DownRight"><Overlay MapName="bins" MapVersion="1">'
        '<BinCodeMap BinType="Integer2" NullBin="FFFF"><BinDefinitions>'
        '<BinDefinition BinCode="0001" BinQuality="Pass"/><BinDefinition BinCode="0002" BinQuality="Fail"/>'
        f"</BinDefinitions>{rows}</BinCodeMap></Overlay></SubstrateMap></SubstrateMaps></MapData>"
    )


def stdf(states: np.ndarray = STATES, order: str = "<", up: bytes = b"U", end: bool = True) -> bytes:
    """A file of one wafer whose first passed die was tested twice: it failed first."""

    def record(major: int, minor: int, body: bytes) -> bytes:
        return struct.pack(order + "HBB", len(body), major, minor) + body

    def text(value: str) -> bytes:
        return bytes([len(value)]) + value.encode()

    def part(x: int, y: int, failed: bool) -> bytes:
        return record(5, 20, struct.pack(order + "BBBHHHhh", 1, 1, 8 if failed else 0, 1, 2 if failed else 1, 1, x, y))

    out = record(0, 10, bytes([2 if order == "<" else 1, 4]))
    texts = b"".join(text(value) for value in ("LOT1", "CHIP", "EYE01", "T", "PROBE"))
    started = struct.pack(order + "IIB", 0, 1_767_323_045, 1)
    out += record(1, 10, started + b"PNN" + struct.pack(order + "H", 0) + b" " + texts)
    out += record(0, 20, b"ignored")
    out += record(2, 10, struct.pack(order + "BBI", 1, 255, 0) + text("W07"))
    places = np.argwhere(states)
    for number, (row, column) in enumerate([*np.argwhere(states == 1)[:1], *places]):
        y = states.shape[0] - 1 - row if up == b"U" else row
        out += part(int(column) - 1, int(y) - 2, number == 0 or states[row, column] == 2)
    tested = len(places) + 1
    out += record(2, 20, struct.pack(order + "BBIIIIII", 1, 255, 0, tested, 0, 0, 0, 0) + text("W07"))
    body = struct.pack(order + "fffBchh", 300.0, 2.0, 1.0, 3, b"D", 0, 0) + b"R" + up
    out += record(2, 30, body)
    return out + (record(1, 20, struct.pack(order + "I", 0)) if end else b"")


def parquet(**columns: object) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def frame() -> pd.DataFrame:
    """A table in the shape of WM-811K."""
    return pd.DataFrame(
        {
            "waferMap": [STATES, STATES.T.copy()],
            "dieSize": [11.0, 11.0],
            "lotName": ["lot1", "lot2"],
            "waferIndex": [1.0, 2.0],
            "trianTestLabel": [np.array([["Training"]]), np.array([])],
            "failureType": [np.array([["Edge-Loc"]]), np.array([])],
        }
    )


class FakeFrame:
    """Becomes pandas.core.frame.DataFrame in the pickle."""


class FakeManager:
    """Becomes pandas.core.internals.BlockManager, as pandas of 2015 pickled it."""

    def __init__(self, *state: object) -> None:
        self.state = state

    def __getstate__(self) -> object:
        return self.state


class FakeIndex:
    """Becomes pandas.indexes.base.Index, a module that no pandas of today has."""


def fake_new_index(cls: type, parts: dict[str, object]) -> object:
    raise NotImplementedError


class IndexOf:
    """Pickles as a call of pandas' own function for an index."""

    def __init__(self, values: list[object]) -> None:
        self.values = values

    def __reduce__(self) -> tuple[object, ...]:
        return fake_new_index, (FakeIndex, {"data": np.array(self.values, object), "name": None})


def old_pickle() -> bytes:
    """What pandas 0.18 on Python 2 would have written for `frame()`."""
    table = frame()
    names = list(table.columns)
    rows = IndexOf(list(range(len(table))))
    objects = [name for name in names if table[name].dtype.kind not in "f"]
    numbers = [name for name in names if name not in objects]
    values = np.empty((len(objects), len(table)), object)
    for i, name in enumerate(objects):
        for j, cell in enumerate(table[name]):
            values[i, j] = cell
    floats = table[numbers].to_numpy().T.copy()
    axes = [IndexOf(names), rows]
    places = [np.array([names.index(name) for name in some], np.int64) for some in (objects, numbers)]
    blocks = [{"values": v, "mgr_locs": p} for v, p in zip((values, floats), places, strict=True)]
    state = FakeManager(axes, [values, floats], axes, {"0.14.1": {"axes": axes, "blocks": blocks}})
    whole = FakeFrame()
    whole.__dict__.update(_data=state, _typ="dataframe", _metadata=[])
    raw = pickle.dumps(whole, protocol=2)
    here = FakeFrame.__module__.encode()
    for mine, theirs in {
        b"FakeFrame": b"pandas.core.frame\nDataFrame",
        b"FakeManager": b"pandas.core.internals\nBlockManager",
        b"FakeIndex": b"pandas.indexes.base\nIndex",
        b"fake_new_index": b"pandas.indexes.base\n_new_Index",
    }.items():
        raw = raw.replace(b"c" + here + b"\n" + mine + b"\n", b"c" + theirs + b"\n")
    return raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def picture(mode: str, **options: object) -> bytes:
    target = io.BytesIO()
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(target, mode, **options)
    return target.getvalue()


def tiff(pixels: np.ndarray, **profile: object) -> bytes:
    """A TIFF of (bands, height, width)."""
    bands, height, width = pixels.shape
    settings = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": pixels.dtype, **profile}
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(**settings) as target:
            target.write(pixels)
        return memory.read()


def _samples() -> dict[str, bytes]:
    ramp = np.arange(2 * 40 * 60, dtype=np.uint16).reshape(2, 40, 60)
    maps = parquet(
        height=[5, 4], width=[4, 5], map=[STATES.tobytes(), STATES.T.tobytes()], label=["none", "Loc"], lot_group=[3, 4]
    )
    csv = "x_um,y_um,wafer\n" + "".join(f"{i * 100}.5,{-i * 50},W{i // 20}\n" for i in range(40))
    return {
        "klarf": KLARF.encode(),
        "sinf": sinf().encode(),
        "g85": g85().encode(),
        "e142": e142().encode(),
        "stdf": stdf(),
        "csv": csv.encode(),
        "parquet-maps": maps,
        "parquet-points": parquet(x_um=[1.0, 2.0], y_um=[3.0, 4.0], lot=["a", "b"]),
        "npz-maps": npz(arr_0=np.stack([STATES, STATES]).astype(np.int32), arr_1=np.zeros((2, 8))),
        "npz-points": npz(x_um=np.arange(5.0), y_um=np.arange(5.0), wafer=np.array(["a", "a", "b", "b", "b"])),
        "pickle": old_pickle(),
        "pickle-new": pickle.dumps(frame(), protocol=4),
        "png": picture("PNG"),
        "jpeg": picture("JPEG"),
        "jpeg-progressive": picture("JPEG", progressive=True),
        "tiff": tiff(ramp, compress="deflate", rowsperstrip=8, blockysize=8),
        "bigtiff": tiff(ramp, BIGTIFF="YES", tiled=True, blockxsize=16, blockysize=16, compress="lzw"),
        "gzip": gzip.compress(csv.encode(), mtime=0),
        "zip": zipped(**{"a/points.csv": csv.encode(), "b.sinf": sinf().encode()}),
    }


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """Format -> bytes of a small sound file."""
    return _samples()


@pytest.fixture(scope="session")
def build() -> dict[str, Callable[..., bytes | str]]:
    """Builders of files for tests that need a special one."""
    return {
        "sinf": sinf,
        "g85": g85,
        "e142": e142,
        "stdf": stdf,
        "parquet": parquet,
        "npz": npz,
        "zip": zipped,
        "tiff": tiff,
    }


@pytest.fixture(scope="session")
def states() -> np.ndarray:
    """The die map in the files of `samples`."""
    return STATES
