"""Task of the child: the arrays of an NPZ file, a chunk of rows at a time, pickled ones refused."""

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from models.domain.errors import InputError, UnsafeInputError
from pipelines.decoding.archives import check_member, open_zip
from pipelines.decoding.wire import Reply

_CHUNK = 8 << 20
_MAX_TEXTS = 1_000_000
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


def npz(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """All arrays of an NPZ file: for each a reply with `name`, `shape` and `dtype`, then its rows in chunks.

    Text arrays come in the meta of their first reply, as `texts`.

    Args:
        file: open file descriptor.
        arguments: `limit`, bytes of all arrays together; `members`, how many arrays there may be; `only`, names of the
            arrays whose rows are wanted, None = all.

    Raises:
        UnsafeInputError: pickled objects, or more than the limits allow.
        InputError: broken.
        RetryableError: truncated.
    """
    left = int(arguments["limit"])
    only = arguments.get("only")
    with os.fdopen(os.dup(file), "rb") as stream, open_zip(stream, int(arguments["members"])) as archive:
        for member in archive.infolist():
            check_member(member)
            name = member.filename.removesuffix(".npy")
            try:
                with archive.open(member) as content:
                    shape, in_columns, dtype = _header(content)
                    rows, size = (shape[0] if shape else 1), int(np.prod(shape, dtype=object)) * dtype.itemsize
                    left -= size
                    if left < 0 or size > member.file_size:
                        raise UnsafeInputError(
                            "array bigger than the limits, or than its file",
                            expected=f"at most {min(int(arguments['limit']), member.file_size)} bytes",
                            got=f"{name}: {size} bytes",
                            code="decompression-bomb",
                        )
                    described = {"name": name, "shape": list(shape), "dtype": dtype.str}
                    if only is not None and name not in only:
                        yield Reply(described)
                    elif dtype.kind in "SU":
                        yield Reply({**described, "texts": _texts(content.read(size), dtype, rows)})
                    else:
                        yield Reply(described)
                        yield from _rows(content, shape, in_columns, dtype)
            except _BROKEN as error:
                raise InputError("broken array", got=f"{name[:100]}: {error}", code="broken-array") from error


def _header(content: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(content)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, in_columns, dtype = read(content)
    if dtype.hasobject:
        raise UnsafeInputError(
            "array of pickled objects",
            expected="plain numbers",
            got=str(dtype),
            remedy="save it without objects: a pickle can run any code",
            code="pickled-array",
        )
    if dtype.kind not in "biufSU" or not all(0 <= side < 1 << 48 for side in shape):
        raise InputError("array of an unusual type", expected="numbers or text", got=f"{dtype} {shape}")
    return shape, in_columns, dtype


def _rows(content: IO[bytes], shape: tuple[int, ...], in_columns: bool, dtype: np.dtype[Any]) -> Iterator[Reply]:
    rows = shape[0] if shape else 1
    row_bytes = int(np.prod(shape[1:], dtype=object)) * dtype.itemsize
    if rows == 0 or row_bytes == 0:
        return
    # Fortran order has the first axis innermost: such an array cannot be cut by rows before it is whole.
    step = rows if in_columns and len(shape) > 1 else max(1, _CHUNK // row_bytes)
    for begin in range(0, rows, step):
        some = min(step, rows - begin)
        data = content.read(some * row_bytes)
        if len(data) != some * row_bytes:
            raise EOFError("fewer bytes than its shape says")
        values = np.frombuffer(data, dtype)
        # Fortran order is C order with the axes the other way round.
        values = values.reshape((*shape[:0:-1], some)).T if in_columns else values.reshape((some, *shape[1:]))
        yield Reply(arrays={"rows": values.astype(dtype.newbyteorder("="), copy=False)})


def _texts(data: bytes, dtype: np.dtype[Any], rows: int) -> list[str]:
    if rows > _MAX_TEXTS:
        raise UnsafeInputError("too many texts", expected=f"at most {_MAX_TEXTS}", got=str(rows))
    values = np.frombuffer(data, dtype)
    return [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values.tolist()]
