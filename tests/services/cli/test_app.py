"""The command line as a user meets it: help, one-line errors with status 2, JSON that parses."""

import json
from pathlib import Path

import pytest

from pipelines.simulate import Breakage, broken_file, simulate
from services.cli import main
from services.serving.bundle_store import BundleStore
from tests.services.conftest import MakeBundle


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize(
    "verb",
    [
        *(
            "demo",
            "up",
            "read",
            "convert",
            "inspect",
            "train",
            "search",
            "backfill",
            "evaluate",
            "release",
            "simulate",
            "ingest",
        ),
        *("api", "watch", "housekeep", "serve", "migrate", "dataset import", "dataset check", "model summary"),
        "roll-back",
        *("backup", "restore", "rescan"),
        *(f"jobs {name}" for name in ("list", "show", "hurry", "cancel", "retry")),
        *("reinspect", "thresholds"),
        *(f"benchmark {name}" for name in ("wm811k", "wm811k-official", "mixedwm38", "sealions", "left-out", "folds")),
    ],
)
def test_every_verb_teaches(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *verb.split(), "--help")
    assert status == 0
    assert "Usage:" in out
    assert len(out.splitlines()) > 8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), "frobnicate"),
        (("read",), "files"),
        (("read", "no-such-file.001"), "no-such-file.001"),
        (("convert", "no-such-file.001", "new.klarf"), "no-such-file.001"),
        (("simulate", "out", "--pattern", "Rings"), "Ring"),
        (("simulate", "out", "--version", "2.0"), "1.2 | 1.8"),
        (("train", "no-such.yaml", "--data", ".", "--out", "bundle"), "no-such.yaml"),
        (("inspect", "x.001", "--bundle", "no-such-bundle"), "waferwatch release"),
        (("dataset", "import", "excel", "x", "y"), "wafers-parquet"),
        (("ingest", "no-such-file"), "no-such-file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_mistake_is_one_line_and_status_2(
    arguments: tuple[str, ...],
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *arguments)
    lines = [line for line in err.splitlines() if line.startswith("waferwatch: ")]
    assert status == 2
    assert len(lines) == 1
    assert says in lines[0]
    assert "Traceback" not in err


def test_debug_shows_where(tmp_path: Path) -> None:
    from models.domain.errors import InputError

    with pytest.raises(InputError, match="no such file"):
        main(["--debug", "ingest", str(tmp_path / "nothing")])


def test_read_counts_what_was_simulated_and_refuses_what_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = simulate(tmp_path / "lot", 1, patterns=("Ring", "Normal"), defects=(50, 200), file_per_lot=True)
    broken = broken_file(tmp_path / "broken.klarf", Breakage.WRONG_COUNT)
    status, out, err = run(capsys, "read", str(truth.files[0]), str(broken), "--json")
    answers = json.loads(out)
    assert status == 2
    assert [capture["defects"] for capture in answers[0]["captures"]] == [wafer.defects for wafer in truth.wafers]
    assert [capture["wafer"] for capture in answers[0]["captures"]] == [wafer.wafer for wafer in truth.wafers]
    assert answers[0]["wafers"] == 2
    assert answers[1]["file"] == str(broken)
    assert answers[1]["error"]["what"]
    assert "broken.klarf" in err


def test_real_files_are_read_with_the_counts_they_state(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("CPS3TwithoutReview.001", "LARGE_KLARF.000", "QUU_NUU.000", "klarf12Example.klarf", "simple12.klarf")
    status, out, _ = run(capsys, "read", *(str(real_data / "klarf" / name) for name in names), "--json")
    assert status == 0
    counts = [[capture["defects"] for capture in answer["captures"]] for answer in json.loads(out)]
    assert counts == [[16], [22_190], [56, 36, 95], [2], [1]]


def test_simulate_prints_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("simulate", str(tmp_path / "w"), "--wafers", "1", "--pattern", "Ring", "--most", "100", "--json")
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert [wafer["pattern"] for wafer in json.loads(out)["wafers"]] == ["Ring"]


def test_thresholds_are_shown_previewed_and_put_into_force(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_bundle: MakeBundle
) -> None:
    made = make_bundle(tmp_path / "made", 0)
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WAFERWATCH_BUNDLE", str(tmp_path / "made"))
    store = BundleStore(tmp_path / "home" / "bundles")
    store.activate("folder", store.install(tmp_path / "made").ref.digest, "1")
    status, out, _ = run(capsys, "thresholds", "--novelty", "0.25", "--json")
    seen = {one["name"]: one["effect"]["novel"] for one in json.loads(out)}
    assert (status, seen["in force"], seen["asked for"]) == (0, 0.0, 0.5)
    assert store.resolve("folder").manifest.ref.digest == made.ref.digest
    status, out, _ = run(capsys, "thresholds", "--novelty", "0.25", "--apply", "night shift")
    assert status == 0
    assert "in force" in out
    assert store.resolve("folder").manifest.thresholds.novelty == 0.25
    status, _, err = run(capsys, "thresholds", "--apply", "for nothing")
    assert (status, "nothing to put into force" in err) == (2, True)


def test_convert_writes_the_same_wafers_in_the_nested_dialect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = simulate(tmp_path / "lot", 1, patterns=("Ring", "Normal"), defects=(50, 200), file_per_lot=True)
    source = truth.files[0]
    status, _, err = run(capsys, "convert", str(source), str(tmp_path / "new.klarf"))
    assert status == 0
    assert "2 wafers" in " ".join(err.split())
    assert (tmp_path / "new.klarf").read_text().startswith('Record FileRecord "1.8"')
    before, after = (
        json.loads(run(capsys, "read", str(path), "--json")[1])[0]["captures"]
        for path in (source, tmp_path / "new.klarf")
    )
    assert [one["defects"] for one in before] == [one["defects"] for one in after]
    status, _, err = run(capsys, "convert", str(source), str(tmp_path / "new.klarf"))
    assert (status, "will not write over a file" in err) == (2, True)
