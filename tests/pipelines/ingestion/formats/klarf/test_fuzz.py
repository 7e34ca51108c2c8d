"""Damaged files: no exception but ours, no hang, and what is read can be written and read again.

The fast suite damages a few hundred files, the slow one ten thousand.
"""

import io
import random
import re
import time

import pytest

from models.domain.errors import InputError, RetryableError
from pipelines.ingestion.formats.klarf import Klarf, KlarfLimits, read_klarf, to_nested, write_klarf

SLOWEST_S = 5.0
PIECES = [
    *[b'"', b";", b"{", b"}", b",", b"\n", b"\r\n", b" ", b"\t", b"\0", b"\xff", b"\x1a", b"NA", b"-", b".", b"e"],
    *[b"1e999", b"99999999999999999999", b"-1", b"0", b"nan", b"inf", b"007", b"1 1 1", b"\xef\xbb\xbf", b"IMAGELIST"],
    *[b"DefectList", b"EndOfFile;", b"WaferID", b"DefectRecordSpec 2 A B;", b"Images 2 {", b"Record X {", b"Data 3 {"],
    b"Field Y 1 {",
]
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


def damaged(seed: bytes, chance: random.Random) -> bytes:
    """The file with one to six damages."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        span = slice(at, at + chance.choice([0, 1, 1, 2, 5, 40, 300]))
        match chance.randrange(7):
            case 0:
                del data[span]
            case 1:
                data[at:at] = chance.choice(PIECES)
            case 2:
                data[span] = chance.choice(PIECES)
            case 3:
                data[at:at] = bytes(data[span]) * chance.choice([1, 2, 50])
            case 4 if data:
                data[at % len(data)] = chance.randrange(256)
            case 5:
                other = chance.randrange(len(data) + 1)
                data[at:at] = bytes(data[other : other + 60])
            case _:
                found = list(re.finditer(rb"[0-9]+", data))
                if found:
                    number = chance.choice(found)
                    data[slice(*number.span())] = chance.choice([b"0", b"-1", b"2147483648", b"1e309", b"00", b"x"])
        if not data:
            break
    return bytes(data)


def try_to_read(data: bytes, block: int) -> None:
    limits = KlarfLimits(block_bytes=block)
    for mode in ("strict", "lenient"):
        begun = time.process_time()
        outcome: Klarf | InputError | RetryableError
        try:
            outcome = read_klarf(io.BytesIO(data), mode=mode, limits=limits)
        except (InputError, RetryableError) as error:
            outcome = error
        assert time.process_time() - begun < SLOWEST_S
        if isinstance(outcome, InputError | RetryableError):
            assert "\n" not in str(outcome)
            assert outcome.complaint.where
        else:
            written = io.BytesIO()
            write_klarf(outcome, written)
            again = read_klarf(io.BytesIO(written.getvalue()), mode="lenient", limits=limits)
            assert again == outcome
            if outcome.wafers:
                assert_converts(outcome)


def assert_converts(klarf: Klarf) -> None:
    """What version 1.8 can say is written in it and read again with the same defects."""
    stream = io.BytesIO()
    try:
        write_klarf(to_nested(klarf), stream)
    except InputError:
        return
    again = read_klarf(io.BytesIO(stream.getvalue()), mode="lenient")
    assert [len(wafer.defects) for wafer in again.wafers] == [len(wafer.defects) for wafer in klarf.wafers]


def fuzz(seeds: list[bytes], chances: range) -> None:
    for number in chances:
        chance = random.Random(number)
        data = damaged(chance.choice(seeds), chance)
        try:
            try_to_read(data, chance.choice([24, 64, 256, 1 << 20, 1 << 20, 1 << 20]))
        except Exception as error:
            raise AssertionError(f"file {number}: {data!r}") from error


@pytest.fixture(scope="module")
def seeds(flat: str, nested: str) -> list[bytes]:
    return [flat.encode(), nested.encode(), IMAGES]


HEAD = b"FileVersion 1 2;LotID A;WaferID B;DefectRecordSpec 3 A B C;DefectList\n"
FOUND = [
    pytest.param(HEAD + b" 1\n" + b" " * 40 + b"2 3;EndOfFile;", id="a row longer than a block"),
    pytest.param(HEAD + b" 1\n\n" + b" " * 200, id="a row that never ends"),
    pytest.param(
        HEAD + b' 1 "a;b"\n' + b" " * 200 + b"3;EndOfFile;", id="a quoted semicolon in a row longer than a block"
    ),
    pytest.param(HEAD + b' "a\n' + b' "a\n' * 30, id="quotes that are not closed in a list that never ends"),
    pytest.param(HEAD.replace(b"3 A B C", b"4 A B IMAGECOUNT IMAGELIST") + b"1;EndOfFile;", id="less than a row"),
    pytest.param(HEAD.replace(b"3 A B C", b"6 A B A B A.2 A.2") + b"1 2 3 4 5 6;EndOfFile;", id="names numbered twice"),
    pytest.param(b"FileVersion\xff 1 2;EndOfFile;", id="no version"),
    pytest.param(
        b'Record FileRecord "1.8" { List "\0 A" { Columns 1 {"a\0b c {" "\0 N"} Data 0 {} } '
        b'Field "\0 F" 1 {1} Record "\0 R" "\0" {} } EndOfFile;',
        id="control characters in quoted names",
    ),
]
"""Kept from runs of this file and of tests/fuzz/klarf_atheris.py."""


@pytest.mark.parametrize("data", FOUND)
@pytest.mark.parametrize("block", [1, 16, 64, 1 << 20])
@pytest.mark.timeout(60)
def test_files_that_once_went_wrong(data: bytes, block: int) -> None:
    try_to_read(data, block)


def test_damaged_files(seeds) -> None:
    fuzz(seeds, range(300))


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_damaged_files(seeds, part: int) -> None:
    fuzz(seeds, range(1000 * (part + 1), 1000 * (part + 2)))
