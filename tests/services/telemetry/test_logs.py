"""Logs: one line per event, whatever a file calls itself."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.parts.shared import lay_foundation
from services.settings import Settings
from services.telemetry.logs import configure_logging, log_context, one_line

FORGED = "LOT1\n12:00:00 ERROR root: all wafers lost\x1b[2J"


@pytest.fixture(autouse=True)
def untouched_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(*, as_json: bool, level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, as_json=as_json, stream=stream)
    return stream


def test_a_line_break_in_a_name_cannot_forge_a_line() -> None:
    stream = logged(as_json=False)
    with log_context(lot=FORGED):
        logging.getLogger("services.intake").warning("file %s", FORGED)
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_context_is_on_every_line_inside_the_block_and_on_none_after_it() -> None:
    stream = logged(as_json=True)
    log = logging.getLogger("services.jobs")
    with log_context(job="7"), log_context(inspection="ab"):
        log.info("inside")
    log.info("outside")
    inside, outside = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (inside["job"], inside["inspection"], inside["message"]) == ("7", "ab", "inside")
    assert "job" not in outside


def test_a_traceback_is_kept() -> None:
    stream = logged(as_json=True)
    try:
        int(FORGED)
    except ValueError:
        logging.getLogger("x").exception("it broke")
    assert "ValueError" in json.loads(stream.getvalue())["traceback"]


def test_levels_below_the_chosen_one_are_silent() -> None:
    stream = logged(as_json=False, level="warning")
    logging.getLogger("x").info("nobody reads this")
    assert stream.getvalue() == ""


def test_an_installation_chooses_lines_for_collectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foundation = lay_foundation(Settings(home=tmp_path, log_json=True, log_level="WARNING"))
    foundation.database.close()
    logging.getLogger("x").info("not this")
    logging.getLogger("x").warning("but this")
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["message"] == "but this"


def test_one_line_keeps_printable_text_of_any_script() -> None:
    assert one_line("Ring × 3 µm – 晶圆") == "Ring × 3 µm – 晶圆"
