"""WM-811K as published is read without running what its pickle names."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.domain.errors import InputError, UnsafeInputError
from pipelines.dataset.samples import DieMap
from pipelines.dataset.sources.lswmd import open_lswmd


def frame() -> pd.DataFrame:
    maps = [np.full((5, 6), 1, np.uint8), np.full((3, 4), 2, np.uint8), np.ones((2, 2), np.uint8)]
    table = pd.DataFrame(
        {
            "waferMap": pd.Series(maps, dtype=object),
            "dieSize": [30.0, 12.0, 4.0],
            "lotName": pd.Series(["lot1", "lot2", "lot2"], dtype=object),
            "waferIndex": [1.0, 2.0, 3.0],
            "trianTestLabel": pd.Series(
                [np.array([["Training"]]), np.array([["Test"]]), np.empty((0, 0))], dtype=object
            ),
            "failureType": pd.Series([np.array([["none"]]), np.array([["Edge-Loc"]]), np.empty((0, 0))], dtype=object),
        }
    )
    table.columns = pd.Index(list(table.columns), dtype=object)
    return table


@pytest.mark.parametrize("protocol", [2, 5])
def test_labelled_wafers_are_read_and_unlabelled_ones_counted(tmp_path: Path, protocol: int) -> None:
    frame().to_pickle(tmp_path / "LSWMD.pkl", protocol=protocol)
    origin = open_lswmd(tmp_path / "LSWMD.pkl")
    samples = list(origin.samples)
    assert origin.notes == ("1 wafers without a label left out",)
    assert [(sample.labels, sample.group) for sample in samples] == [(("none",), "lot1"), (("Edge-Loc",), "lot2")]
    assert [sample.published for sample in samples] == ["train", "test"]
    dies = samples[1].payload
    assert isinstance(dies, DieMap)
    assert (dies.states == 2).all()
    assert dies.states.shape == (3, 4)


def test_the_layout_of_2015_is_read(tmp_path: Path) -> None:
    """Pandas of the time pickled (axes, values, items, {"0.14.1": …}) as the state of a BlockManager."""
    table = frame()
    (tmp_path / "LSWMD.pkl").write_bytes(_old_pickle(table))
    samples = list(open_lswmd(tmp_path / "LSWMD.pkl").samples)
    assert [sample.labels for sample in samples] == [("none",), ("Edge-Loc",)]


def _old_pickle(table: pd.DataFrame) -> bytes:
    class Stub:
        def __init__(self, module: str, name: str) -> None:
            self.module, self.name = module, name

    class OldPickler(pickle._Pickler):  # type: ignore[name-defined, misc]
        """Writes names of pandas 0.16 that no longer exist."""

        def save(self, obj: object, save_persistent_id: bool = True) -> None:
            if isinstance(obj, Stub):
                self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            else:
                super().save(obj, save_persistent_id)

    def index(out: OldPickler, values: np.ndarray) -> None:
        out.save(Stub("pandas.core.index", "_new_Index"))
        out.save((Stub("pandas.core.index", "Index"), {"data": values, "name": None}))
        out.write(pickle.REDUCE)

    stream = io.BytesIO()
    out = OldPickler(stream, protocol=2)
    out.write(pickle.PROTO + b"\x02")
    for name in ("pandas.core.frame\nDataFrame", "pandas.core.internals\nBlockManager"):
        out.write(pickle.GLOBAL + f"{name}\n".encode() + pickle.EMPTY_TUPLE + pickle.NEWOBJ)
    # The manager's state: a tuple whose last part holds the axes and blocks.
    out.write(pickle.MARK + pickle.NONE * 3 + pickle.EMPTY_DICT)
    out.save("0.14.1")
    out.write(pickle.EMPTY_DICT)
    out.save("axes")
    out.write(pickle.EMPTY_LIST)
    for values in (np.array(list(table.columns), dtype=object), np.arange(len(table))):
        index(out, values)
        out.write(pickle.APPEND)
    out.write(pickle.SETITEM)
    out.save("blocks")
    numbers, objects = ["dieSize", "waferIndex"], ["waferMap", "lotName", "trianTestLabel", "failureType"]
    place = {name: i for i, name in enumerate(table.columns)}
    block = np.empty((len(objects), len(table)), dtype=object)
    for row, name in enumerate(objects):
        for column, value in enumerate(table[name]):
            block[row, column] = value
    out.save(
        [
            {"values": table[numbers].to_numpy().T, "mgr_locs": np.array([place[name] for name in numbers])},
            {"values": block, "mgr_locs": np.array([place[name] for name in objects])},
        ]
    )
    out.write(pickle.SETITEM + pickle.SETITEM + pickle.TUPLE + pickle.BUILD + pickle.BUILD + pickle.STOP)
    return stream.getvalue()


class _Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_names_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "LSWMD.pkl").write_bytes(pickle.dumps(_Payload(tmp_path / "owned")))
    with pytest.raises(UnsafeInputError, match="mkdir"):
        open_lswmd(tmp_path / "LSWMD.pkl")
    assert not (tmp_path / "owned").exists()


def test_another_table_is_refused(tmp_path: Path) -> None:
    pd.DataFrame(np.ones((1, 1)), columns=pd.Index(["a"], dtype=object)).to_pickle(tmp_path / "LSWMD.pkl")
    with pytest.raises(InputError, match="not the WM-811K table"):
        open_lswmd(tmp_path / "LSWMD.pkl")


def test_texts_of_pandas_3_are_read(tmp_path: Path) -> None:
    table = frame().astype({"lotName": "str"})
    table.columns = pd.Index(list(table.columns))
    table.to_pickle(tmp_path / "LSWMD.pkl")
    assert [sample.group for sample in open_lswmd(tmp_path / "LSWMD.pkl").samples] == ["lot1", "lot2"]
