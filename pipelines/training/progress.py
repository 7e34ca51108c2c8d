"""The training on a terminal: a bar with time left, loss and validation macro-F1."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipelines.training.state import EpochRecord, State


class TrainingProgress:
    """An observer that draws; use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on `console`, by default the terminal's error stream, so that output stays readable by machines."""
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]} · macro-F1 {task.fields[score]}"),
            console=console or Console(stderr=True),
        )
        self.task = self.progress.add_task("training", total=None, loss="–", score="–")
        self.smooth: float | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing, whatever happened."""
        self.progress.stop()

    def on_stage(self, name: str) -> None:
        """Name what is being done."""
        self.progress.update(self.task, description=name)

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Move the bar; the loss shown is a running mean, single batches jump."""
        self.smooth = loss if self.smooth is None else 0.95 * self.smooth + 0.05 * loss
        self.progress.update(self.task, completed=done, total=total, loss=f"{self.smooth:.3f}")

    def on_epoch(self, record: EpochRecord, state: State) -> None:
        """Show the best validation figure so far."""
        best = f"{record.score:.3f} (kept {state.curves[state.best_epoch].score:.3f})"
        self.progress.update(self.task, description=f"epoch {record.epoch + 1} done", score=best)
