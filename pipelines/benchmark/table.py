"""A contest on a terminal: one row for each contestant, the floor first; then the recall of every class."""

from rich.console import Console, Group, RenderableType
from rich.table import Table

from pipelines.benchmark.contest import Contest, Standing
from pipelines.evaluation.table import percent

_FIGURES = ("macro-F1", "95 % over groups", "by fold", "unrefused", "false alarms", "missed", "refused", "exact")


def contest_table(found: Contest) -> RenderableType:
    """Headline figures, then recalls; figures are over the test patches of all folds together."""
    rows = Table("", "", title=found.protocol, title_justify="left")
    for name in _FIGURES:
        rows.add_column(name, justify="right")
    for standing in found.standings:
        rows.add_row(*_headline(standing))
    recalls = Table("recall", title=f"{found.standings[0].scores.patches:,} test patches", title_justify="left")
    for row in found.standings[0].scores.classes:
        recalls.add_column(f"{row.name}\n{row.support:,}", justify="right")
    for standing in found.standings:
        recalls.add_row(standing.name, *(_share(recall) for recall in standing.recall.values()))
    return Group(rows, recalls)


def print_contest(found: Contest, console: Console | None = None) -> None:
    """Print the table; by default to standard output."""
    (console or Console()).print(contest_table(found))


def _headline(standing: Standing) -> tuple[str, ...]:
    scores = standing.scores
    low, high = min(standing.by_fold), max(standing.by_fold)
    return (
        standing.role.value,
        standing.name,
        f"{scores.macro_f1.value:.3f}",
        f"{scores.macro_f1.low:.3f} – {scores.macro_f1.high:.3f}",
        f"{low:.3f} – {high:.3f}" if len(standing.by_fold) > 1 else "",
        f"{scores.forced_macro_f1:.3f}",
        percent(scores.normal_false_alarms),
        percent(scores.missed),
        percent(scores.refused),
        percent(scores.accuracy),
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
