"""Verbs that need no service: `read` says what a file holds, `inspect` judges it, `convert` writes it anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.domain.capture import CaptureKind
from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.cli.show import Json, plain, print_json, print_table, terminal

if TYPE_CHECKING:
    from models.domain.inspection import Inspection
    from models.domain.verdict import Labels
    from pipelines.ingestion import Description, ReadOptions

Files = Annotated[list[str], typer.Argument(help="Files: paths, or s3://, gs://, az:// URIs.")]
Reading = Annotated[
    Path | None,
    typer.Option(help="YAML file of what files do not say of themselves, such as mirrored coordinates of a tool."),
]


def add_looking(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command()(read)
    app.command()(inspect)
    app.command()(convert)


@dataclass(frozen=True, slots=True)
class _Refused:
    """A file that could not be read; the other files of the command are read nevertheless."""

    file: str
    error: InputError | RetryableError


def read(
    files: Files,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Read KLARF files whose counts are wrong, with warnings.")
    ] = False,
    reading: Reading = None,
    as_json: Json = False,
) -> None:
    """Say what files hold: lots, wafers, defect counts, frame, warnings.

    The format is found from the content, not the name. A file that cannot be read is reported and makes the exit
    status 2; the others are read all the same.

    Example: waferwatch read lot7/*.001 --json
    """
    from pipelines.ingestion import describe

    options = _options(reading, lenient=lenient)
    described, refused = [], []
    for file in files:
        try:
            described.append((file, tuple(describe(file, options=options))))
        except (InputError, RetryableError) as error:
            refused.append(_Refused(file, error))
    if as_json:
        print_json([_file(file, captures) for file, captures in described] + _refusals(refused))
    else:
        columns = ("lot", "wafer", "slot", "product", "step", "tool", "content", "extent", "warnings")
        for file, captures in described:
            print_table(file, columns, [_row(one) for one in captures])
            for one in captures:
                for warning in one.warnings:
                    terminal.print(f"  {warning.message}", markup=False)
    _end(refused)


def convert(
    source: Annotated[Path, typer.Argument(help="KLARF file of version 1.0 to 1.3.")],
    target: Annotated[Path, typer.Argument(help="New file of version 1.8; nothing is written over.")],
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Also files whose counts are wrong, with warnings.")
    ] = False,
) -> None:
    """Write a KLARF file of version 1.0 to 1.3 as version 1.8, for programs that read that alone.

    Lengths become nanometres, classes, test plans and summaries lists; what we do not understand becomes fields.

    Example: waferwatch convert wafer07.001 wafer07.klarf
    """
    from pipelines.ingestion.formats.klarf import read_klarf, to_nested, write_klarf

    if not source.is_file():
        raise InputError("no such file", where=str(source), expected="a KLARF file")
    klarf = read_klarf(source, mode="lenient" if lenient else "strict")
    for warning in klarf.warnings:
        terminal.print(f"  {warning.message}", markup=False)
    write_klarf(to_nested(klarf), target)
    defects = sum(len(wafer.defects) for wafer in klarf.wafers)
    terminal.print(f"{target}: {len(klarf.wafers)} wafers, {defects:,} defects", markup=False)


def inspect(
    files: Files,
    bundle: Annotated[str, typer.Option(help="Folder of a bundle, or an alias in the registry.")] = "champion",
    windows: Annotated[
        bool, typer.Option("--windows", help="With --json: every window's verdict, not only the capture's.")
    ] = False,
    reading: Reading = None,
    write_back: Annotated[
        Path | None,
        typer.Option(help="Folder for copies of the KLARF files with the verdicts in them, under new names."),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Picture (PNG) of an image with a mark for each object; of one file.")
    ] = None,
    geojson: Annotated[
        Path | None, typer.Option(help="GeoJSON of the objects of a georeferenced image; of one file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge files with a bundle; no service needed, nothing is recorded.

    Verdict 'unknown' means that a label was refused: the pattern resembles nothing the model was trained on, or no
    class is likely enough. 'likeliest' is what it would have been forced into.

    --write-back makes a new KLARF file of each: defects of a pattern get MACROSIGCLASS and MACROSIGID, the wafer's own
    verdict and the model's version go to CustomWaferList; the tool's file stays as it is.

    Where the bundle counts objects, as aerial ones do, 'counts' tells how many of each class there are.

    Examples: waferwatch inspect wafer07.001 --bundle my-bundle --json
    waferwatch inspect frame.tif --bundle aerial --overlay found.png --geojson found.json
    """
    from models.bundle import load_bundle
    from pipelines.ingestion import open_captures
    from services.inspection.inspecting import inspect as run
    from services.inspection.local_classifier import LocalClassifier

    if (overlay or geojson) and len(files) > 1:
        raise ConfigurationError("one picture of several files", expected="one file", got=f"{len(files)} files")
    classifier = LocalClassifier(load_bundle(bundle_folder(bundle)))
    options = _options(reading)
    inspections, refused, written = [], [], []
    with terminal.status("inspecting"):
        for file in files:
            try:
                found = [run(reader, classifier) for reader in open_captures(file, options=options)]
                inspections += [(file, one) for one in found]
                if write_back is not None:
                    written.append(_write_back(file, found, classifier.manifest.labels, options, write_back))
                written += _write_findings(file, found, options, overlay, geojson)
            except (InputError, RetryableError) as error:
                refused.append(_Refused(file, error))
    if as_json:
        print_json([_answer(file, inspection, windows) for file, inspection in inspections] + _refusals(refused))
    else:
        rows = [
            (one.capture.name, one.verdict.label or ("unknown" if one.verdict.is_unknown else "–"),
             one.verdict.confidence, one.verdict.novelty, one.verdict.reason.value, one.verdict.likeliest,
             one.verdict.runner_up)
            for _, one in inspections
        ]  # fmt: skip
        columns = ("capture", "verdict", "confidence", "novelty", "why", "likeliest", "runner-up")
        print_table(f"bundle {classifier.manifest.ref.name}", columns, rows)
        for _, one in inspections:
            if one.counted:
                counts = sorted(one.counts.items())
                print_table(
                    f"{one.capture.name}: objects", ("class", "count"), [*counts, ("all", sum(one.counts.values()))]
                )
        for path in written:
            terminal.print(f"  wrote {path}", markup=False)
    _end(refused)


def _write_findings(
    file: str, found: "Sequence[Inspection]", options: "ReadOptions", picture: Path | None, places: Path | None
) -> Iterator[Path]:
    """The picture with marks and the GeoJSON that were asked for, of the only capture of a file."""
    import json

    from pipelines.ingestion import open_captures
    from services.inspection.findings import geojson, overlay

    if picture is None and places is None:
        return
    if len(found) != 1 or found[0].capture.kind is not CaptureKind.IMAGE:
        raise InputError(
            "no single image",
            where=file,
            expected="an image with one page",
            got=f"{len(found)} captures",
            code="no-image",
        )
    (one,) = found
    if picture is not None:
        reader = next(iter(open_captures(file, options=options)))
        picture.write_bytes(overlay(reader, one.verdicts, one.normal))
        yield picture
    if places is not None:
        places.write_text(json.dumps(geojson(one.capture, one.verdicts, one.normal), indent=1), encoding="utf-8")
        yield places


def _options(reading: Path | None, *, lenient: bool = False) -> "ReadOptions":
    from pipelines.ingestion import ReadOptions

    options = ReadOptions() if reading is None else ReadOptions.load(reading)
    return replace(options, lenient=True) if lenient else options


def _write_back(
    file: str, found: "Sequence[Inspection]", labels: "Labels", options: "ReadOptions", folder: Path
) -> Path:
    """The KLARF file with its verdicts, under a new name in a folder."""
    from pipelines.ingestion import judged_klarf
    from pipelines.ingestion.formats.klarf import write_klarf

    source = Path(file)
    if not source.is_file():
        raise InputError("cannot write verdicts back", where=file, expected="a local KLARF file")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source.stem}_verdicts{source.suffix}"
    write_klarf(judged_klarf(source, dict(enumerate(found)), labels, options), target)
    return target


def bundle_folder(bundle: str) -> Path:
    """A folder as it is; an alias is fetched from the registry into the installation's store."""
    from services.routing.history import plain_routing
    from services.serving.bundle_store import BundleStore
    from services.serving.release_follower import ReleaseFollower
    from services.settings import Settings

    if Path(bundle).is_dir():
        return Path(bundle)
    settings = Settings.load(bundle=bundle)
    settings.make_folders()
    store = BundleStore(settings.bundle_dir)
    ReleaseFollower(settings, store).follow(plain_routing(settings).routes)
    return store.resolve(settings.route).folder


def _file(file: str, captures: "Sequence[Description]") -> dict[str, Any]:
    """A file as a machine wants it: totals first, then each capture with its provenance beside its numbers."""
    return {
        "file": file,
        "lots": list(dict.fromkeys(one.capture.provenance.lot for one in captures)),
        "wafers": sum(one.capture.kind is CaptureKind.WAFER for one in captures),
        "defects": sum(one.defects or 0 for one in captures),
        "captures": [
            plain(one.capture.provenance)
            | {
                "id": one.capture.id,
                "name": one.capture.name,
                "kind": one.capture.kind.value,
                "format": one.format,
                "frame": {"height": one.capture.height, "width": one.capture.width, "unit": one.capture.unit},
                "georeference": plain(one.capture.georeference),
                "defects": one.defects,
                "inspected_dies": one.inspected_dies,
                "failed_dies": one.failed_dies,
                "dies": one.dies,
                "bands": one.bands,
                "warnings": plain(one.warnings),
            }
            for one in captures
        ],
    }


def _row(one: "Description") -> tuple[Any, ...]:
    origin = one.capture.provenance
    who = (origin.lot, origin.wafer, origin.slot, origin.product, origin.step, origin.tool)
    return (*who, one.content, one.extent, len(one.warnings))


def _answer(file: str, inspection: Any, windows: bool) -> dict[str, Any]:
    verdict = inspection.verdict
    answer: dict[str, Any] = {
        "file": file,
        "capture": inspection.capture,
        "bundle": inspection.bundle,
        "label": verdict.label,
        "unknown": verdict.is_unknown,
        "confidence": verdict.confidence,
        "novelty": verdict.novelty,
        "reason": verdict.reason,
        "likeliest": verdict.likeliest,
        "runner_up": verdict.runner_up,
        "runner_up_confidence": verdict.runner_up_confidence,
        "also": verdict.also,
        "counts": inspection.counts,
        "duration_s": inspection.duration_s,
    }
    return answer | ({"windows": inspection.verdicts} if windows else {})


def _refusals(refused: list[_Refused]) -> list[dict[str, Any]]:
    return [{"file": one.file, "error": one.error.complaint, "code": one.error.code} for one in refused]


def _end(refused: list[_Refused]) -> None:
    """One line for each refused file, and the exit status."""
    for line in _lines(refused):
        typer.echo(line, err=True)
    if refused:
        raise typer.Exit(2)


def _lines(refused: list[_Refused]) -> Iterator[str]:
    for one in refused:
        text = str(one.error)
        yield f"waferwatch: {text}" if one.file in text else f"waferwatch: {one.file}: {text}"
