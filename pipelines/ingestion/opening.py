"""Open any file we read: find out what it is from its bytes, and give one reader per wafer or image in it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from models.domain.capture import Capture, CaptureKind, Provenance, capture_id
from models.domain.errors import InputError, UnsafeInputError
from pipelines.ingestion.archives import gzip_content, zip_members
from pipelines.ingestion.captures import CaptureReader, DieReader, PointReader
from pipelines.ingestion.formats.found import NOMINAL_DIAMETER_UM, FoundWafer
from pipelines.ingestion.formats.images import open_images
from pipelines.ingestion.formats.klarf.limits import KlarfLimits
from pipelines.ingestion.formats.klarf.problems import Mode
from pipelines.ingestion.formats.klarf.reader import read_klarf
from pipelines.ingestion.formats.points import read_csv
from pipelines.ingestion.formats.semi_xml import read_semi_xml
from pipelines.ingestion.formats.sinf import read_sinf
from pipelines.ingestion.formats.stdf import read_stdf
from pipelines.ingestion.formats.tables import FoundWafers, read_npz, read_parquet, read_pickle
from pipelines.ingestion.formats.wafer_frame import place_wafer
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.options import ReadOptions
from pipelines.ingestion.sniffing import Format, sniff_file
from pipelines.ingestion.sources import SourceFile, fetch
from pipelines.ingestion.wafer_maps import DieMap


def open_captures(
    uri: str | Path, *, limits: Limits | None = None, options: ReadOptions | None = None, sha256: str | None = None
) -> Iterator[CaptureReader]:
    """Readers of all captures in a file, in the order of the file.

    The same bytes read with the same options give the same captures with the same ids. Compressed files and
    archives are read through: the captures are those of what is inside.

    Args:
        uri: local path, or a URI of a scheme in `sources.SCHEMES`.
        limits: how much the file may ask for.
        options: what the file does not say.
        sha256: of a local file's content, where it is known, as of all files in a spool: it is not hashed again.

    Raises:
        InputError: no such file, of a format we do not read, or broken; `complaint` says where and why.
        UnsafeInputError: it asks for more than the limits allow, or reaches out of its place.
        RetryableError: it is not complete (yet), or an object store does not answer.
    """
    limits, options = limits or Limits(), options or ReadOptions()
    source = fetch(uri, limits, options.storage, sha256)
    yield from _open(source, limits, options, depth=0)


def _open(source: SourceFile, limits: Limits, options: ReadOptions, depth: int) -> Iterator[CaptureReader]:
    kind = sniff_file(source.path, source.name)
    if kind in (Format.GZIP, Format.ZIP):
        if depth:
            raise UnsafeInputError(
                "archive inside of an archive", where=source.name, expected="files", got=kind, code="nested-archive"
            )
        inside = iter((gzip_content(source, limits),)) if kind is Format.GZIP else zip_members(source, limits)
        for member in inside:
            yield from _open(member, limits, options, depth=1)
    elif kind in (Format.PNG, Format.JPEG, Format.TIFF):
        yield from open_images(source, kind, limits, options.values)
    else:
        found = _wafers(source, kind, limits, options)
        for ordinal, wafer in enumerate(found.wafers):
            identity = capture_id(source.sha256, ordinal, found.count, options.told(kind, wafer))
            yield _reader(kind, wafer, identity, _name(source, wafer.provenance, ordinal, found.count))


def _wafers(source: SourceFile, kind: Format, limits: Limits, options: ReadOptions) -> FoundWafers:
    match kind:
        case Format.PARQUET:
            return read_parquet(source, options.points, limits)
        case Format.NPZ:
            return read_npz(source, options.points, limits)
        case Format.PICKLE:
            return read_pickle(source, limits)
        case _:
            found = _wafers_of_text(source, kind, limits, options)
            return FoundWafers(len(found), iter(found))


def _wafers_of_text(source: SourceFile, kind: Format, limits: Limits, options: ReadOptions) -> list[FoundWafer]:
    """Wafers of the formats that are parsed in this process, by Python."""
    name = source.name
    limit = limits.map_bytes if kind in (Format.SINF, Format.G85, Format.E142) else limits.text_bytes
    if source.size > limit:
        raise UnsafeInputError(
            f"{kind} file is too big",
            where=name,
            expected=f"at most {limit} bytes",
            got=str(source.size),
            code="too-big",
        )
    match kind:
        case Format.KLARF:
            return _klarf(source, limits, options)
        case Format.CSV:
            return read_csv(source.path, options.points, name, limits)
        case Format.SINF:
            return [read_sinf(source.path.read_text("latin-1"), name, limits)]
        case Format.G85 | Format.E142:
            return read_semi_xml(source.path, name, limits)
        case Format.STDF:
            with source.path.open("rb") as stream:
                return read_stdf(stream, name, limits)
    raise InputError("unknown format", where=name, got=kind, code="unknown-format")


def _klarf(source: SourceFile, limits: Limits, options: ReadOptions) -> list[FoundWafer]:
    bounds = KlarfLimits(file_bytes=limits.text_bytes, defects=limits.defects, columns=limits.columns)
    mode: Mode = "lenient" if options.lenient else "strict"
    klarf = read_klarf(source.path, mode=mode, limits=bounds, name=source.name)
    if not klarf.wafers:
        raise InputError("KLARF file without a wafer", where=source.name, expected="WaferID", code="empty-file")
    found = []
    for wafer in klarf.wafers:
        where = f"{source.short_name} wafer {wafer.provenance.wafer}"
        placed = place_wafer(wafer, where, options.tools.get(wafer.provenance.tool or ""))
        found.append(replace(placed, warnings=(*klarf.warnings, *placed.warnings)))
    return found


def _reader(kind: Format, wafer: FoundWafer, identity: str, name: str) -> CaptureReader:
    diameter = wafer.diameter_um or NOMINAL_DIAMETER_UM
    capture = Capture(
        id=identity,
        kind=CaptureKind.WAFER,
        name=name,
        height=diameter,
        width=diameter,
        provenance=wafer.provenance,
    )
    if isinstance(wafer.content, DieMap):
        return DieReader(capture, wafer.content, wafer.warnings, kind.value)
    return PointReader(capture, wafer.content, wafer.warnings, kind.value)


def _name(source: SourceFile, provenance: Provenance, ordinal: int, count: int) -> str:
    """The file's name, and where it holds several wafers which one."""
    if count == 1:
        return source.short_name
    parts = [part for part in (provenance.lot, provenance.wafer) if part]
    return f"{source.short_name} {' '.join(parts) if parts else f'#{ordinal + 1}'}"
