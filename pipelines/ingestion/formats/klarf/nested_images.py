"""The image cell of a nested defect row, whose width varies.

Seen: `N` or `0` for none, `Images 2 {"a.jpg" "JPG" 1 "Patch", …}`, and numbers as in the flat dialect.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.defects import Images
from pipelines.ingestion.formats.klarf.nested_regions import RowRegion
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.table import Rows, TableBuilder
from pipelines.ingestion.formats.klarf.words import whole

_NONE = frozenset(("N", "0"))
_PER_IMAGE = 4
_INT32 = 1 << 31


class _Image(NamedTuple):
    file: str
    format: str
    page: int
    kind: str


class ImageCells:
    """Takes rows with an image cell apart: all values but those of the plain columns are the image cell's."""

    def __init__(self, source: Source, table: TableBuilder) -> None:
        assert table.image_at is not None
        self._source = source
        self._table = table
        self._at = table.image_at

    def take(self, region: RowRegion, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        """Add the rows and their images to the table.

        Raises:
            InputError: in strict mode, a row does not fit.
        """
        plain = self._table.width
        extra = ends - begins - plain
        sound = extra >= 1
        found: dict[int, list[_Image]] = {}
        for row in np.flatnonzero(sound & ~self._without_images(region, begins, extra)).tolist():
            begin = int(begins[row]) + self._at
            images = self._images(region, begin, begin + int(extra[row]))
            if images is None:
                sound[row] = False
            elif images:
                found[row] = images
        place = np.arange(plain)
        cells = begins[sound][:, None] + place + np.where(place < self._at, 0, extra[sound][:, None])
        whole_row = ~region.braces[cells].any(axis=1)
        sound[np.flatnonzero(sound)[~whole_row]] = False
        cells = cells[whole_row]
        self._complain(region, begins[~sound])
        first_row = self._table.rows
        quoted = None if region.quoted is None else region.quoted[cells]
        spans = region.spans[cells].reshape(-1, plain, 2)
        self._table.add(Rows(region.text, spans, quoted, self._source.locator(region.first), self._source.bytes_left))
        ordinal = np.cumsum(sound) - 1 + first_row
        self._table.add_images(
            _columnar([(int(ordinal[row]), image) for row in found if sound[row] for image in found[row]])
        )

    def _without_images(
        self, region: RowRegion, begins: NDArray[np.int64], extra: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """(R,) rows whose image cell is a bare `N` or `0`, which most are."""
        if not len(region.spans):
            return np.zeros(len(begins), np.bool_)
        at = np.minimum(begins + self._at, len(region.spans) - 1)
        start, end = region.spans[at, 0], region.spans[at, 1]
        first = region.text.characters[start]
        bare = (extra == 1) & (end - start == 1) & ((first == ord("N")) | (first == ord("0")))
        if region.quoted is not None:
            bare &= ~region.quoted[at]
        return np.asarray(bare)

    def _images(self, region: RowRegion, begin: int, end: int) -> list[_Image] | None:
        """The images of one cell; None if it makes no sense."""
        words = [
            region.text.characters[start:stop].tobytes().decode("latin-1")
            for start, stop in region.spans[begin:end].tolist()
        ]
        if words[0].upper() in {"IMAGES", "IMAGE"} and words[2:3] == ["{"] and words[-1] == "}":
            return self._braced(region, begin, words[1], words[3:-1])
        if words[0].upper() in _NONE and len(words) == 1:
            return []
        numbers = [whole(word) for word in words]
        if numbers[0] is None or len(words) != 1 + 2 * numbers[0]:
            return None
        pages = numbers[1::2]
        if any(page is None or abs(page) >= _INT32 for page in pages):
            return None
        return [_Image("", "", page or 0, kind) for page, kind in zip(pages, words[2::2], strict=True)]

    def _braced(self, region: RowRegion, begin: int, count: str, words: list[str]) -> list[_Image] | None:
        images = []
        for at in range(0, len(words), _PER_IMAGE):
            entry = words[at : at + _PER_IMAGE]
            page = whole(entry[2]) if len(entry) == _PER_IMAGE else None
            if page is None or abs(page) >= _INT32:
                return None
            images.append(_Image(entry[0], entry[1], page, entry[3]))
        if whole(count) != len(images):
            line, column = self._source.place(region.in_source(int(region.spans[begin, 0])))
            self._source.problems.wrong(
                "image-count",
                "a list of images has another length than it says",
                line=line,
                column=column,
                expected=count,
                got=str(len(images)),
                remedy="lenient mode trusts the braces",
            )
        return images

    def _complain(self, region: RowRegion, begins: NDArray[np.int64]) -> None:
        room = self._source.problems.room
        for begin in begins[:room].tolist():
            line, column = self._source.place(region.in_source(int(region.spans[begin, 0])))
            self._source.problems.wrong(
                "row-width",
                "a defect row and its images do not fit the columns",
                line=line,
                column=column,
                expected=f"{self._table.width} cells and `N` or `Images n {{…}}`",
                remedy="lenient mode leaves such rows out and says which",
            )
        self._source.problems.unkept += max(0, len(begins) - room)


def _columnar(images: list[tuple[int, _Image]]) -> Images:
    strings = np.dtypes.StringDType()
    return Images(
        row=np.array([row for row, _ in images], np.int32),
        page=np.array([image.page for _, image in images], np.int32),
        kind=np.array([image.kind for _, image in images], strings),
        file=np.array([image.file for _, image in images], strings),
        format=np.array([image.format for _, image in images], strings),
    )
