"""Tasks of the child: schema and rows of a Parquet file.

Parquet cannot be judged by its footer: a dictionary column of 300 kB can hold gigabytes. So rows come in small batches
and the address space of this child is the bound.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.decoding.wire import Reply

_ROWS = 4096
_BROKEN = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)


def schema(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """One reply: `columns`, name -> type as Arrow writes it, and `rows`.

    Raises:
        RetryableError: the footer is missing.
        UnsafeInputError: more columns or rows than the limits allow.
    """
    with os.fdopen(os.dup(file), "rb") as stream:
        table = _open(stream, arguments)
        yield Reply(
            {
                "columns": {field.name: str(field.type) for field in table.schema_arrow},
                "rows": table.metadata.num_rows,
            }
        )


def rows(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """Rows of some columns in batches.

    Numbers come as arrays; texts and lists in the meta, as lists; binary columns as one array of bytes with the places
    where each value ends, `NAME.ends`.

    Args:
        file: open file descriptor.
        arguments: `columns`, names; `rows`, how many there may be.

    Raises:
        InputError: broken.
    """
    with os.fdopen(os.dup(file), "rb") as stream:
        table = _open(stream, arguments)
        try:
            for batch in table.iter_batches(
                batch_size=int(arguments.get("batch", _ROWS)), columns=list(arguments["columns"]), use_threads=False
            ):
                yield _reply(batch)
        except _BROKEN as error:
            raise InputError("broken Parquet file", got=_first_line(error), code="broken-table") from error


def _open(stream: Any, arguments: Mapping[str, Any]) -> pq.ParquetFile:
    try:
        table = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
        found, columns = table.metadata.num_rows, len(table.schema_arrow)
    except _BROKEN as error:
        if stream.seek(-4, os.SEEK_END) >= 0 and stream.read(4) != b"PAR1":
            raise RetryableError(
                "Parquet file without its footer", remedy="wait until it is written", code="truncated"
            ) from error
        raise InputError("broken Parquet file", got=_first_line(error), code="broken-table") from error
    for what, got, limit in (("rows", found, arguments["rows"]), ("columns", columns, arguments["max_columns"])):
        if got > limit:
            raise UnsafeInputError(f"too many {what}", expected=f"at most {limit}", got=str(got), code="too-many")
    return table


def _reply(batch: pa.RecordBatch) -> Reply:
    meta: dict[str, Any] = {"rows": batch.num_rows, "nulls": {}}
    arrays: dict[str, Any] = {}
    for name, raw in zip(batch.schema.names, batch.columns, strict=True):
        column = raw.dictionary_decode() if isinstance(raw, pa.DictionaryArray) else raw
        kind = column.type
        if column.null_count:
            meta["nulls"][name] = column.null_count
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            values = column.to_numpy(zero_copy_only=False)
            arrays[name] = values if values.dtype.kind in "biuf" else values.astype(np.float64)
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            parts = [value or b"" for value in column.to_pylist()]
            arrays[name] = np.frombuffer(b"".join(parts), np.uint8)
            arrays[f"{name}.ends"] = np.cumsum([len(part) for part in parts], dtype=np.int64)
        else:
            meta[name] = [_plain(value) for value in column.to_pylist()]
    return Reply(meta, arrays)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
