"""What an importer hands over: the samples as a stream, and what their labels and groups mean."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.dataset.samples import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A labelled source, opened.

    Attributes:
        samples: one after the other, each read when asked for; can be walked once.
        normal: the label that means "nothing to act on", or None.
        exclusive: False if several labels may lie on one sample.
        grouped_by: what a group is, in one word; 'sample' if nothing groups them.
        notes: remarks for the manifest, such as what was assumed.
    """

    samples: Iterator[Sample]
    normal: str | None
    exclusive: bool
    grouped_by: str
    notes: tuple[str, ...] = ()
