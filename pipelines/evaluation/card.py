"""The model card: what a person should know before trusting a bundle; Markdown, and HTML that opens anywhere.

After Mitchell et al., "Model cards for model reporting" (FAT* 2019): what it is for, what it was trained on, how it
was measured, where it fails.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from models.bundle import BundleManifest
from pipelines.dataset.manifest import DatasetManifest
from pipelines.evaluation.operating import FALSE_ALARMS, Point
from pipelines.evaluation.report import Report
from pipelines.evaluation.table import headlines, percent

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a card: a title, paragraphs, and a table (first row = header) if there is one."""

    title: str
    paragraphs: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a card: what it shows, and its PNG file."""

    title: str
    file: Path


def sections(
    manifest: BundleManifest,
    dataset: DatasetManifest,
    report: Report | None,
    remarks: Sequence[str] = (),
    more: Sequence[Section] = (),
) -> tuple[Section, ...]:
    """The card's parts.

    Args:
        manifest: of the bundle.
        dataset: it was trained on.
        report: of its evaluation; None = not measured yet.
        remarks: of the trainer, such as what its learning curves say.
        more: further parts of what was measured.
    """
    recipe = manifest.recipe
    parts = [
        Section(
            f"Model {manifest.ref.name}",
            (
                f"Names {len(manifest.labels.names)} patterns on {recipe.kind.value} captures, in windows of "
                f"{recipe.tiling.tile} × {recipe.tiling.tile} pixels and {recipe.channels} channels. What resembles "
                "nothing it was trained on is refused a label, not forced into one.",
                f"Network {recipe.network.name}, {len(recipe.views)} test-time views, temperature "
                f"{manifest.temperature:.3f}. Thresholds: confidence {manifest.thresholds.confidence:.3f}, novelty "
                f"{manifest.thresholds.novelty:.4g}.",
                *remarks,
            ),
        ),
        _data(dataset),
    ]
    if report is not None:
        parts += _measured(report)
    parts += more
    parts.append(
        Section(
            "Limits",
            (
                "Figures hold for lots like those it was tested on. Other products, tools or steps shift the data: "
                "watch the share of unknown verdicts, and label some before trusting the rest.",
            ),
        )
    )
    return tuple(parts)


def markdown(parts: Sequence[Section], pictures: Sequence[Shown] = ()) -> str:
    """The card as Markdown; pictures are linked as files beside it."""
    lines: list[str] = []
    for level, part in enumerate(parts):
        lines += [f"{'#' if level == 0 else '##'} {part.title}", ""]
        for paragraph in part.paragraphs:
            lines += [paragraph, ""]
        if part.rows:
            header, *rows = [[cell.replace("|", "\\|") for cell in row] for row in part.rows]
            lines += [_line(header), _line(["---"] + ["---:"] * (len(header) - 1)), *map(_line, rows), ""]
    for picture in pictures:
        lines += [f"## {picture.title}", "", f"![{picture.title}]({picture.file.name})", ""]
    return "\n".join(lines)


def html(parts: Sequence[Section], pictures: Sequence[Shown] = ()) -> str:
    """The card as one HTML page without anything to load; pictures are inside it."""
    body: list[str] = []
    for level, part in enumerate(parts):
        tag = "h1" if level == 0 else "h2"
        body.append(f"<{tag}>{escape(part.title)}</{tag}>")
        body += [f"<p>{escape(paragraph)}</p>" for paragraph in part.paragraphs]
        if part.rows:
            header, *rows = part.rows
            head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
            cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
            body.append(f"<table><tr>{head}</tr>{cells}</table>")
    for picture in pictures:
        content = base64.b64encode(picture.file.read_bytes()).decode()
        words = escape(picture.title)
        body.append(f'<h2>{words}</h2><img alt="{words}" src="data:image/png;base64,{content}">')
    title = escape(parts[0].title) if parts else "Model"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body>{''.join(body)}</body></html>\n"
    )


def write_html(report: Report, path: str | Path) -> None:
    """Write a report alone, without a bundle's card around it, as one HTML page."""
    parts = [Section(f"{report.bundle} on {report.dataset}", (f"Bundle {report.digest[:16]}.",)), *_measured(report)]
    Path(path).write_text(html(parts), encoding="utf-8")


def _measured(report: Report) -> list[Section]:
    parts = [Section("Measured", rows=(("figure", "value"), *headlines(report))), _classes(report), _operating(report)]
    return [*parts, _confusion(report)] if report.confusion else parts


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _data(dataset: DatasetManifest) -> Section:
    found = dataset.findings
    header = ("class", *dataset.counts)
    names = sorted({name for counts in dataset.counts.values() for name in counts})
    rows = tuple((name, *(f"{counts.get(name, 0):,}" for counts in dataset.counts.values())) for name in names)
    remarks = [
        f"{dataset.name} ({dataset.source}), split by {dataset.grouped_by}: "
        + ", ".join(f"{count:,} {split}" for split, count in dataset.groups.items())
        + f". Fingerprint {dataset.fingerprint[:16]}.",
        f"{found.duplicates} exact duplicates and {len(found.conflicts)} contents with conflicting labels left out.",
    ]
    if found.few_groups:
        remarks.append(f"In too few groups to be in every split: {', '.join(found.few_groups)}.")
    return Section("Training data", (*remarks, *found.notes), (header, *rows))


def _classes(report: Report) -> Section:
    header = ("class", "recall", "precision", "F1", "refused", "patches")
    rows = tuple(
        (
            row.name,
            _between(row.recall, row.recall_low, row.recall_high),
            _between(row.precision, row.precision_low, row.precision_high),
            _between(row.f1, row.f1_low, row.f1_high),
            percent(row.refused),
            f"{row.support:,}",
        )
        for row in report.classes
    )
    return Section("Classes", ("In percent, with 95 % intervals from redrawing whole groups.",), (header, *rows))


def _between(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f}" + ("" if low is None or high is None else f" ({100 * low:.0f} – {100 * high:.0f})")


def _operating(report: Report) -> Section:
    header = ("class", "ROC area", "average precision", "cut nearest (0, 1)", f"cut within {FALSE_ALARMS:.0%} others")
    rows = tuple(
        (row.name, f"{row.auroc:.3f}", f"{row.average_precision:.3f}", _point(row.nearest), _point(row.at_limit))
        for row in report.operating
    )
    explained = (
        "Each class as a question of its own: where its calibrated probability can be cut, the share of its patches "
        "found there and the share of all other patches called it. Verdicts do not use these cuts; they show what a "
        "class could reach."
    )
    return Section("Operating points", (explained,), (header, *rows))


def _point(point: Point) -> str:
    return f"{point.threshold:.2f}: found {percent(point.recall)}, others {percent(point.false_alarms)}"


def _confusion(report: Report) -> Section:
    names = tuple(row.name for row in report.classes)
    rows = []
    for name, counts in zip(names, report.confusion, strict=True):
        total = max(sum(counts), 1)
        rows.append((name, *(f"{100 * count / total:.0f}" if count else "" for count in counts)))
    explained = "Rows are what the patch is, columns what was stated, in percent of the row."
    return Section("Confusion", (explained,), (("", *names, "unknown"), *rows))
