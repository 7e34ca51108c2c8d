"""A cross-validation on a terminal: one column per fold, and their mean."""

from rich.console import Console
from rich.table import Table

from pipelines.benchmark.folds import CrossValidation
from pipelines.evaluation.table import percent


def fold_table(found: CrossValidation) -> Table:
    """Macro-F1, false alarms and recalls of each fold, then the floor: what rules score that see no defect."""
    table = Table("", title=found.protocol, title_justify="left")
    for name in (*(f"fold {fold}" for fold in found.folds), "mean"):
        table.add_column(name, justify="right")
    reports = found.reports
    table.add_row("macro-F1", *(f"{r.macro_f1.value:.3f}" for r in reports), f"{found.macro_f1:.3f}")
    table.add_row(
        "macro-F1 without refusals", *(f"{r.forced_macro_f1:.3f}" for r in reports), f"{found.forced_macro_f1:.3f}"
    )
    table.add_row(
        "normal called defective",
        *(percent(r.normal_false_alarms) for r in reports),
        percent(found.normal_false_alarms),
    )
    table.add_row("refused", *(percent(r.refused) for r in reports), "")
    table.add_section()
    for name, mean in found.recall.items():
        recalls = (row.recall for report in reports for row in report.classes if row.name == name)
        table.add_row(f"recall {name}", *map(percent, recalls), percent(mean))
    table.add_section()
    for rule, mean in found.floor.items():
        scores = (f"{floor.macro_f1:.3f}" for report in reports for floor in report.floor if floor.rule == rule)
        table.add_row(f"floor: {rule}", *scores, f"{mean:.3f}")
    return table


def print_folds(found: CrossValidation, console: Console | None = None) -> None:
    """Print the table; by default to standard output."""
    (console or Console()).print(fold_table(found))
