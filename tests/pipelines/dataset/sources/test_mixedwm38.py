"""MixedWM38 as published: flags become labels."""

from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError
from pipelines.dataset.import_ import ImportOptions, import_dataset
from pipelines.dataset.sources.mixedwm38 import open_mixedwm38


def test_flags_become_names_and_none_means_normal(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).integers(0, 3, (3, 52, 52))
    flags = np.array([[1, 0, 0, 0, 0, 0, 1, 0], [0] * 8, [0, 0, 0, 0, 0, 0, 0, 1]])
    np.savez(tmp_path / "m.npz", arr_0=maps, arr_1=flags)
    origin = open_mixedwm38(tmp_path / "m.npz")
    samples = list(origin.samples)
    assert [sample.labels for sample in samples] == [("Center", "Scratch"), (), ("Random",)]
    assert (origin.normal, origin.exclusive, origin.grouped_by) == ("normal", False, "sample")
    assert len({sample.group for sample in samples}) == 3


def test_a_state_beyond_fail_is_refused_with_its_place(tmp_path: Path) -> None:
    maps = np.full((2, 52, 52), 1)
    maps[1, 3, 3] = 3
    np.savez(tmp_path / "m.npz", arr_0=maps, arr_1=np.zeros((2, 8)))
    with pytest.raises(InputError, match=r"m\.npz:1; expected 0 no die, 1 pass, 2 fail; got 3"):
        list(open_mixedwm38(tmp_path / "m.npz").samples)


def test_pickled_arrays_and_other_shapes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", arr_0=np.array([{}], dtype=object), arr_1=np.zeros((1, 8)))
    np.savez(tmp_path / "b.npz", arr_0=np.zeros((2, 52)), arr_1=np.zeros((2, 8)))
    for name in ("a", "b"):
        with pytest.raises(InputError, match="MixedWM38"):
            open_mixedwm38(tmp_path / f"{name}.npz")


def test_mixtures_may_be_strangers_to_single_patterns(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).integers(0, 3, (60, 52, 52))
    flags = np.zeros((60, 8), int)
    flags[:40:2, 0] = flags[10:20, 6] = 1
    np.savez(tmp_path / "m.npz", arr_0=maps, arr_1=flags)
    found = import_dataset("mixedwm38", tmp_path / "m.npz", tmp_path / "data", ImportOptions(single=True))
    assert (found.labels.names, found.labels.normal, found.labels.exclusive) == (
        ("Center", "Scratch", "normal"), "normal", True,
    )  # fmt: skip
    assert found.unknown == ("mixture",)
    assert found.counts["test"]["mixture"] == 5
    assert "mixture" not in found.counts["train"]
