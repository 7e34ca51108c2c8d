"""A report on a terminal."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.evaluation.report import Report


def percent(value: float | None) -> str:
    """A share with one decimal, or a dash where there is none."""
    return "–" if value is None or value != value else f"{100 * value:.1f} %"  # noqa: PLR0124 - NaN


def headlines(report: Report) -> list[tuple[str, str]]:
    """The figures to read first, each with its name."""
    score = report.macro_f1
    lines = [
        ("protocol", report.protocol),
        ("patches", f"{report.patches:,} of {report.groups:,} groups"),
        ("macro-F1", f"{score.value:.3f}  (95 % over groups: {score.low:.3f} – {score.high:.3f})"),
        ("macro-F1 without refusals", f"{report.forced_macro_f1:.3f}"),
        (
            "accuracy · mean recall · worst recall",
            " · ".join(percent(value) for value in (report.accuracy, report.balanced_accuracy, report.worst_recall)),
        ),
        (
            "normal called defective · refused",
            f"{percent(report.normal_false_alarms)} · {percent(report.normal_refused)}",
        ),
        ("defective called normal", percent(report.missed)),
        ("known patches refused a label", percent(report.refused)),
        ("calibration error", percent(report.calibration_error)),
    ]
    if report.open_set is not None:
        found = report.open_set
        lines.append(("strangers refused", f"{percent(found.refused)} of {found.strangers}; AUROC {found.auroc:.3f}"))
    lines += [
        (f"floor: {rule.rule}", f"macro-F1 {rule.macro_f1:.3f}, accuracy {percent(rule.accuracy)}")
        for rule in report.floor
    ]
    return lines


def report_table(report: Report) -> RenderableType:
    """Headlines, then one row per class."""
    summary = Table.grid(padding=(0, 2))
    for name, value in headlines(report):
        summary.add_row(Text(name, style="dim"), value)
    classes = Table("class", title=f"{report.bundle} on {report.dataset}", title_justify="left")
    for name in ("recall", "95 % over groups", "precision", "F1", "refused", "patches"):
        classes.add_column(name, justify="right")
    for row in report.classes:
        classes.add_row(
            row.name,
            percent(row.recall),
            f"{percent(row.recall_low)} – {percent(row.recall_high)}",
            percent(row.precision),
            "–" if row.f1 is None else f"{row.f1:.3f}",
            percent(row.refused),
            f"{row.support:,}",
        )
    return Group(classes, summary)


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the table; by default to standard output."""
    (console or Console()).print(report_table(report))
