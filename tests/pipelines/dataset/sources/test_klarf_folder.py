"""A folder of inspection files with the table of what was seen on each wafer."""

from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import InputError
from models.domain.tiling import Level, Window
from pipelines.dataset.import_ import import_dataset
from pipelines.dataset.loading import load_patches
from pipelines.dataset.sources.klarf_folder import open_klarf_folder
from pipelines.ingestion import open_captures
from pipelines.simulate import simulate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("klarf")
    simulate(path, wafers=8, patterns=("Normal", "Ring", "ClusterBig"), seed=3, defects=(20, 400))
    return path


def test_every_wafer_of_the_truth_becomes_a_sample(folder: Path) -> None:
    origin = open_klarf_folder(folder)
    samples = list(origin.samples)
    assert len(samples) == 24
    assert {sample.labels[0] for sample in samples} == {"Normal", "Ring", "ClusterBig"}
    assert (origin.normal, origin.grouped_by) == ("Normal", "lot")


def test_training_sees_the_pixels_that_serving_sees(folder: Path, tmp_path: Path) -> None:
    import_dataset("klarf", folder, tmp_path / "data")
    patches = load_patches(tmp_path / "data", tile=64, channels=2)
    window = Window(Level(0, 64, 64), 0, 0, 64, 64)
    served = {
        reader.read(window).pixels.tobytes()
        for file in sorted(folder.iterdir())
        if file.suffix != ".csv"
        for reader in open_captures(file)
    }
    assert {np.ascontiguousarray(pixels).tobytes() for pixels in patches.pixels} <= served
    assert len(patches) == 24


def test_a_wafer_the_file_does_not_hold_is_refused(folder: Path, tmp_path: Path) -> None:
    first = next(line.split(",")[0] for line in (folder / "truth.csv").read_text().splitlines()[1:])
    (tmp_path / first).write_bytes((folder / first).read_bytes())
    (tmp_path / "truth.csv").write_text(f"file,ordinal,lot,wafer,pattern\n{first},99,L,1,Ring\n")
    with pytest.raises(InputError, match="does not hold"):
        list(open_klarf_folder(tmp_path).samples)


def test_truth_may_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("file,ordinal,lot,wafer,pattern\n../x.klarf,0,L,1,Ring\n")
    with pytest.raises(InputError, match="outside its folder"):
        list(open_klarf_folder(tmp_path).samples)


def test_no_truth_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="waferwatch simulate"):
        open_klarf_folder(tmp_path)
