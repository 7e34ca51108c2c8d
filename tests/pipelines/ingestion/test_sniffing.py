"""The first bytes decide."""

import pytest

from models.domain.errors import InputError, RetryableError
from pipelines.ingestion.sniffing import HEAD_BYTES, Format, sniff

EXPECTED = {
    "klarf": Format.KLARF,
    "sinf": Format.SINF,
    "g85": Format.G85,
    "e142": Format.E142,
    "stdf": Format.STDF,
    "csv": Format.CSV,
    "parquet-maps": Format.PARQUET,
    "npz-points": Format.NPZ,
    "pickle": Format.PICKLE,
    "png": Format.PNG,
    "jpeg": Format.JPEG,
    "tiff": Format.TIFF,
    "bigtiff": Format.TIFF,
    "gzip": Format.GZIP,
    "zip": Format.ZIP,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_samples(name: str, samples: dict[str, bytes]) -> None:
    assert sniff(samples[name][:HEAD_BYTES], name) is EXPECTED[name]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xef\xbb\xbf\r\n fileversion 1 1;", Format.KLARF),
        (b'Record FileRecord "1.8" {', Format.KLARF),
        (b"record\tfilerecord", Format.KLARF),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a <Map> --><ns:MapData xmlns:ns="u">', Format.E142),
        ('<?xml version="1.0"?><Map a="b">'.encode("utf-16"), Format.G85),
        (b"\r\nDEVICE:a b\r\nLOT:1\r\nROWCT:3\r\n", Format.SINF),
        (b"MM\x00*\x00\x00\x00\x08", Format.TIFF),
        (b"\x00\x02\x00\x0a\x01\x04", Format.STDF),
        (b"PK\x05\x06" + bytes(18), Format.ZIP),
        (b'"x","y"\r\n1,2\r\n', Format.CSV),
    ],
)
def test_variants(head: bytes, expected: Format) -> None:
    assert sniff(head, "here") is expected


@pytest.mark.parametrize(
    "head",
    [
        b"FileVersions 1",
        b"<html><Map/></html>",
        b"<VRTDataset>",
        b"\x80\x01old pickle",
        b"GIF89a",
        b"%PDF-1.7",
        b"\x7fELF\x02\x01\x01",
        b"1,2\n3,4\n",
        b"name\n1\n",
        b"DEVICE: but no rows\n",
        b"a,b\x00c\n",
        b"GRIB....7777",
    ],
)
def test_anything_else_is_refused_with_its_first_bytes(head: bytes) -> None:
    with pytest.raises(InputError) as caught:
        sniff(head, "here")
    assert caught.value.code == "unknown-format"
    assert repr(head[:10])[2:6] in str(caught.value)


@pytest.mark.parametrize("head", [b"", b"\x89PN", b"PK", b"\xff", b"II", b"PAR"])
def test_files_only_begun_are_tried_again(head: bytes) -> None:
    with pytest.raises(RetryableError):
        sniff(head, "here")
