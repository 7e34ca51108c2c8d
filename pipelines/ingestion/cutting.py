"""Cut a capture into patches, as a tiling says."""

from collections.abc import Iterable, Iterator

from models.domain.patch import Patch
from models.domain.tiling import Tiling, Window, plan
from pipelines.ingestion.captures import CaptureReader, StreamReader


def cut(reader: CaptureReader, tiling: Tiling) -> Iterator[Patch]:
    """All patches of a capture, level by level, row by row; one at a time, so that memory stays bounded.

    Raises:
        ConfigurationError: the capture has no such level.
        InputError: the file turns out to be broken where it is read.
    """
    return read_windows(reader, plan(reader.capture, tiling))


def read_windows(reader: CaptureReader, windows: Iterable[Window]) -> Iterator[Patch]:
    """Patches of any windows of a capture, in their order; best row by row, as images are decoded from the top.

    Raises:
        InputError: the file turns out to be broken where it is read.
    """
    if isinstance(reader, StreamReader):
        yield from reader.stream(windows)
    else:
        for window in windows:
            yield reader.read(window)
