"""Rows that are only ever added, each with a hash over itself and the hash of the one before: a gap or a change shows.

The database refuses to change or remove such rows; the chain shows it if somebody with more power did. What it cannot
show is that the last rows are missing: keep exports elsewhere for that.
"""

import hashlib
import json
from collections.abc import Sequence

START = "0" * 64
"""What the first row has before it."""


def link(previous: str, content: Sequence[object]) -> str:
    """The hash of a row.

    Args:
        previous: hash of the row before it, `START` if there is none.
        content: the row's own values, as JSON knows them.
    """
    return hashlib.sha256(json.dumps([previous, *content], ensure_ascii=True).encode()).hexdigest()
