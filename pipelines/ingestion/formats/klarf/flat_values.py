"""Counted values of flat statements: `n`, and then n times the same."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.decimals import parse_numbers
from pipelines.ingestion.formats.klarf.document import Statement
from pipelines.ingestion.formats.klarf.problems import Problems
from pipelines.ingestion.formats.klarf.text import Text, Tokens
from pipelines.ingestion.formats.klarf.words import whole

_INT32 = 1 << 31


def pairs_of(statement: Statement, problems: Problems) -> NDArray[np.int32]:
    """Dies of a plan or map, `n` and then n times `x y`, as (D, 2).

    Raises:
        InputError: in strict mode, the statement does not hold n pairs of whole numbers.
    """
    text = Text.of(statement.text.encode("latin-1", "replace"))
    spans = text.parted()
    numbers = parse_numbers(Tokens(text, spans[:, 0], spans[:, 1]))
    values = numbers.values.astype(np.float64)
    sound = not len(numbers.bad) and bool(np.all((np.abs(values) < _INT32) & (values == np.trunc(values))))
    if not sound or not len(values) or len(values) != 1 + 2 * values[0]:
        problems.wrong(
            "declared-count",
            f"{statement.keyword} does not hold what it says",
            line=statement.line,
            expected="n, then n times a column and a row",
            got=f"{max(0, len(values) - 1)} values after {statement.text[:10].split(chr(10))[0]!r}",
            remedy="lenient mode takes the whole pairs, if all are numbers",
        )
    pairs = values[1:] if sound else np.empty(0)
    return pairs[: len(pairs) // 2 * 2].astype(np.int32).reshape(-1, 2)


def numbered_names(statement: Statement, problems: Problems) -> Mapping[int, str]:
    """Classes, `n` and then n times a number and a name.

    Raises:
        InputError: in strict mode, the statement does not hold n of them.
    """
    words = statement.values
    pairs = list(zip(words[1::2], words[2::2], strict=False))
    numbers = [whole(word) for word, _ in pairs]
    if not words or whole(words[0]) != len(pairs) or len(words) % 2 == 0 or None in numbers:
        problems.wrong(
            "declared-count",
            f"{statement.keyword} does not hold what it says",
            line=statement.line,
            expected="n, then n times a number and a name",
            got=f"{words[0] if words else 'nothing'} and then {max(0, len(words) - 1)} values",
            remedy="lenient mode takes the whole pairs",
        )
    return {each: name for each, (_, name) in zip(numbers, pairs, strict=True) if each is not None}
