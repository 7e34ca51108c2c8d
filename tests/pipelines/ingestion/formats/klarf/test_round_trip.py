"""For every file that can be built: what is written reads back as the same, in both dialects."""

import string

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.ingestion.formats.klarf import Images, Klarf
from pipelines.ingestion.formats.klarf.columns import kind_of
from pipelines.ingestion.formats.klarf.defects import Defects
from pipelines.ingestion.formats.klarf.document import ColumnType, DefectRows, Field, Listing, Record, Statement
from pipelines.ingestion.formats.klarf.words import quote, tame

STRINGS = np.dtypes.StringDType()
NAMES = st.text(string.ascii_letters + "_", min_size=1, max_size=12)
LATIN = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=12)
BARE = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters='";,{}'), min_size=1, max_size=8)
WORDS = st.one_of(BARE, LATIN.map(quote))
GAPS = st.sampled_from([" ", "\n", " \t"])
TEXTS = st.builds(lambda words, gap: gap.join(words), st.lists(WORDS, max_size=6), GAPS)
PLAIN = ["DEFECTID", "XREL", "YREL", "CLASSNUMBER", "TEST", "VENDOR", "NOTE"]


def column(name: str, kind: str, count: int) -> st.SearchStrategy[np.ndarray]:
    """Values of one column, as reading gives them."""
    whole = st.one_of(st.integers(-5, 5), st.integers(-(1 << 63), (1 << 63) - 1))
    small = st.one_of(st.none(), st.integers(-(1 << 50), 1 << 50))
    real = st.one_of(st.just(np.nan), st.floats(allow_nan=False, allow_infinity=False))
    text = st.one_of(LATIN, st.sampled_from(["NA", "12", "1e5", "", " ", "a b", "a;b", "-", "nan"]))
    rows = {"min_size": count, "max_size": count}
    numbers = st.one_of(
        st.lists(whole, **rows).map(lambda cells: np.array(cells, np.int64)),
        st.lists(small, **rows).map(
            lambda cells: np.array([np.nan if cell is None else cell for cell in cells], float)
        ),
    )
    reals = st.lists(real, **rows).map(lambda cells: np.array(cells, float))
    texts = st.lists(text.map(tame), **rows).map(lambda cells: np.array(cells, STRINGS))
    choices = {"int": numbers, "float": reals, "text": texts, "any": st.one_of(numbers, reals, texts)}
    return choices[kind_of(ColumnType(name, kind))]


@st.composite
def tables(draw: st.DrawFn, *, nested: bool) -> Defects:
    names = draw(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=5, unique=True))
    kinds = draw(st.lists(st.sampled_from(["int32", "float", "double", "string", "vendor"]), min_size=5, max_size=5))
    layout = [ColumnType(name, kind if nested else "") for name, kind in zip(names, kinds, strict=False)]
    count = draw(st.integers(0, 6))
    columns = {each.name: draw(column(each.name, each.type, count)) for each in layout}
    images = Images()
    if draw(st.booleans()):
        layout.append(ColumnType("IMAGECOUNT", "int32" if nested else ""))
        per_row = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
        columns["IMAGECOUNT"] = np.array(per_row, np.int32)
        layout.insert(draw(st.integers(len(layout) - 1, len(layout))) if nested else len(layout), _image_column(nested))
        images = draw(pictures(per_row, nested))
    return Defects(tuple(layout), columns, images)


def _image_column(nested: bool) -> ColumnType:
    return ColumnType("IMAGEINFO", "ImageList") if nested else ColumnType("IMAGELIST")


@st.composite
def pictures(draw: st.DrawFn, per_row: list[int], nested: bool) -> Images:
    total = sum(per_row)
    pages = draw(st.lists(st.integers(-9, 1 << 30), min_size=total, max_size=total))
    texts = st.lists(LATIN.map(tame), min_size=total, max_size=total)
    kinds = texts if nested else st.lists(st.integers(0, 99).map(str), min_size=total, max_size=total)
    nothing = [""] * total
    return Images(
        np.repeat(np.arange(len(per_row)), per_row).astype(np.int32),
        np.array(pages, np.int32),
        np.array(draw(kinds), STRINGS),
        np.array(draw(texts) if nested else nothing, STRINGS),
        np.array(draw(texts) if nested else nothing, STRINGS),
    )


@st.composite
def flat_files(draw: st.DrawFn) -> Klarf:
    known = {"DEFECTLIST", "ENDOFFILE", "DEFECTRECORDSPEC", "TIFFFILENAME", "LOTID", "WAFERID"}
    others = st.lists(st.builds(Statement, NAMES.filter(lambda name: name.upper() not in known), TEXTS), max_size=3)
    parts: list[Statement | DefectRows] = [Statement("FileVersion", "1 2"), *draw(others)]
    found = draw(st.lists(tables(nested=False), max_size=3))
    for ordinal, table in enumerate(found):
        names = " ".join(each.name for each in table.layout)
        parts += [Statement("WaferID", f'"{ordinal}"'), Statement("DefectRecordSpec", f"{len(table.layout)} {names}")]
        cuts = sorted(draw(st.lists(st.integers(0, len(table)), max_size=2)))
        for start, stop in zip([0, *cuts], [*cuts, len(table)], strict=True):
            parts += [DefectRows(ordinal, start, stop), *draw(others)]
    return Klarf("1.2", tuple(parts), tuple(found))


@st.composite
def nested_files(draw: st.DrawFn) -> Klarf:
    braced = TEXTS.map(lambda text: text.replace("\n", " "))
    fields = st.builds(Field, st.one_of(NAMES, BARE, LATIN.map(tame)).filter(bool), braced)
    kinds = st.builds(ColumnType, NAMES.map(str.upper), st.sampled_from(["int32", "string", "float"]))
    columns = st.lists(kinds, max_size=3, unique_by=lambda each: each.name).map(tuple)
    lists = st.builds(Listing, NAMES.filter(lambda name: name.upper() != "DEFECTLIST"), columns, braced)
    parts = st.lists(st.one_of(fields, lists), max_size=3)
    found = draw(st.lists(tables(nested=True), max_size=3))
    wafers = [
        Record("WaferRecord", draw(LATIN), (*draw(parts), DefectRows(ordinal, 0, len(table)), *draw(parts)))
        for ordinal, table in enumerate(found)
    ]
    lot = Record("LotRecord", draw(LATIN), (*draw(parts), *wafers, *draw(parts)))
    return Klarf("1.8", (Record("FileRecord", "1.8", (*draw(parts), lot)),), tuple(found))


QUICK = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None
)


@QUICK
@given(flat_files(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([1, 16, 1 << 20]))
def test_flat(read, written, klarf: Klarf, newline: str, block: int) -> None:
    data = written(klarf, newline)
    again = read(data, block=block, mode="lenient")
    assert again == klarf, data
    assert written(again, newline) == data


@QUICK
@given(nested_files(), st.sampled_from(["\n", "\r\n"]), st.sampled_from([1, 16, 1 << 20]))
def test_nested(read, written, klarf: Klarf, newline: str, block: int) -> None:
    data = written(klarf, newline)
    again = read(data, block=block, mode="lenient")
    assert again == klarf, data
    assert written(again, newline) == data
