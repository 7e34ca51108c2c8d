"""Mutated files: no crash, no hang, no exception but ours, whatever the bytes.

What a mutation finds is kept below as a test of its own.
"""

import re
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError, RetryableError
from models.domain.tiling import Tiling, plan
from pipelines.ingestion import Limits, open_captures

KINDS = [
    "klarf",
    "sinf",
    "g85",
    "e142",
    "stdf",
    "csv",
    "parquet-maps",
    "parquet-points",
    "npz-maps",
    "npz-points",
    "pickle",
    "pickle-new",
    "png",
    "jpeg",
    "jpeg-progressive",
    "tiff",
    "bigtiff",
    "gzip",
    "zip",
]
LIMITS = Limits(decoder_seconds=4, free_bytes=16 << 20, dies=200_000, members=2000)
VALUES = [b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"-1", b"0", b"99999999999", b"1e999", b"NaN", b'"', b";"]
NUMBER = re.compile(rb"[0-9]+")


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A few small changes: flips, cuts, repeats, swaps, and values that parsers trip over."""
    data = bytearray(content)
    for _ in range(int(min(rng.geometric(0.5), 8))):
        at = int(rng.integers(0, len(data) + 1))
        size = int(min(rng.geometric(0.08), 400))
        value = VALUES[int(rng.integers(0, len(VALUES)))]
        match int(rng.integers(0, 8)):
            case 0 if data:
                data[at % len(data)] ^= 1 << int(rng.integers(0, 8))
            case 1 if data:
                data[at % len(data)] = int(rng.integers(0, 256))
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + size]
            case 4:
                data[at:at] = rng.bytes(size)
            case 5:
                data[at : at + len(value)] = value
            case 6 if found := NUMBER.search(data, at):
                # A number of a text format becomes another one, so that the rest is still understood.
                data[found.start() : found.end()] = value
            case _:
                other = int(rng.integers(0, len(data) + 1))
                data[at : at + size] = data[other : other + size]
    return bytes(data[: int(rng.integers(0, len(data) + 1))]) if rng.random() < 0.05 else bytes(data)


def use(path: Path) -> str:
    """Open a file and look at some windows of each capture; why it was refused, '' = it was not."""
    try:
        for reader in open_captures(path, limits=LIMITS):
            for level in (0, -1):
                for _, window in zip(range(3), plan(reader.capture, Tiling(tile=16, levels=(level,))), strict=False):
                    patch = reader.read(window)
                    assert 0 <= patch.inspected <= 1 + 1e-6
    except (InputError, RetryableError) as error:
        return str(error)
    return ""


def fuzz(kind: str, content: bytes, folder: Path, begin: int, end: int) -> int:
    """Use mutations `begin` to `end`; how many were read nevertheless."""
    read = 0
    path = folder / "mutated"
    for number in range(begin, end):
        rng = np.random.default_rng([zlib.crc32(kind.encode()), number])
        path.write_bytes(mutated(content, rng))
        # Processor time: a hang here burns it, and a busy machine is no hang. The child has its own four seconds.
        started = time.process_time()
        try:
            refusal = use(path)
        except BaseException as error:
            error.add_note(f"mutation {number} of {kind}")
            raise
        read += not refusal
        assert "\n" not in refusal
        assert time.process_time() - started < 5, f"mutation {number} of {kind} took too long"
    return read


@pytest.mark.parametrize(
    ("kind", "number"),
    [("bigtiff", 175), ("bigtiff", 407), ("bigtiff", 585), ("stdf", 351), ("stdf", 846), ("zip", 22), ("pickle", 181)],
)
def test_what_mutations_have_found(kind: str, number: int, samples: dict[str, bytes], tmp_path: Path) -> None:
    """Seeks beyond what file systems allow, empty records, zip members without a name, arrays that crash NumPy."""
    fuzz(kind, samples[kind], tmp_path, number, number + 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_mutations(kind: str, samples: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(samples[kind])
    use(path)  # a decoding child that starts on a busy machine may need longer than a mutation may take
    assert use(path) == ""
    # If every mutation were refused at the door, the rooms behind it would not be tested.
    read = fuzz(kind, samples[kind], tmp_path, 0, 100)
    assert read or kind == "gzip"  # whose checksum lets nothing through


@pytest.mark.fuzz
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_mutations(kind: str, samples: dict[str, bytes], tmp_path: Path) -> None:
    fuzz(kind, samples[kind], tmp_path, 100, 10_100)
