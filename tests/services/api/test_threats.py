"""Threats beside access itself: injected SQL and markup, forged log lines, formulas in tables, loose processes.

What guards uploads, bodies, origins, tokens, logins, rates and metrics has tests of its own beside what it guards.
"""

import io
import logging
import re
from pathlib import Path

import pytest
import yaml

from services.dashboard.csv_file import safe_cell
from services.telemetry.logs import LineFormatter
from tests.services.api.conftest import Service
from tests.services.making import capture, inspection, record

ROOT = Path(__file__).parents[3]
INJECTIONS = [
    "' OR 1=1 --",
    "'; DROP TABLE alert; --",
    "%",
    "_",
    "\\",
    '"',
    "x' UNION SELECT password_hash FROM user_account --",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_filters_are_values_never_sql(service: Service, text: str) -> None:
    record(service.database, inspection(capture("wafer")))
    for name in ("lot", "product", "step", "tool", "label"):
        answer = service.client.get("/api/v1/inspections", params={name: text})
        assert (answer.status_code, answer.json()["items"]) == (200, []), name
    for name in ("pattern", "product", "step", "tool"):
        assert service.client.get("/api/v1/alerts", params={name: text}).json()["items"] == []
    assert len(service.client.get("/api/v1/inspections").json()["items"]) == 1


def test_no_sql_is_put_together_from_text() -> None:
    """Bound parameters alone: `text(f"…")` and its like appear in migrations, which take no input, and nowhere else."""
    loose = re.compile(r"""(\btext|exec_driver_sql)\(\s*(f["']|["'][^"']*["']\s*(%|\+|\.format))""")
    for path in (ROOT / "services").rglob("*.py"):
        # names of tables made of dates, words of our own in the definition of an index
        if "migrations" not in path.parts and path.name not in ("partitions.py", "alert_tables.py", "tables.py"):
            assert not loose.search(path.read_text(encoding="utf-8")), path


def test_templates_escape_everything() -> None:
    for path in (ROOT / "services/dashboard/templates").glob("*.html"):
        template = path.read_text(encoding="utf-8")
        for found in re.findall(r"\{\{[^}]*\|\s*safe[^}]*\}\}", template):
            assert re.match(r"""\{\{\s*(["'])[^{}]*\1\s*\|\s*safe""", found), f"{path.name}: {found}"
        assert "autoescape false" not in template
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", template), f"{path.name}: a script in the page"
        assert not re.search(r"\son[a-z]+\s*=\s*[\"']", template), f"{path.name}: a script in an attribute"


def test_a_wafer_cannot_forge_a_log_line() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    handler.handle(
        logging.LogRecord("x", logging.INFO, "", 0, "lot %s", ("A\n12:00 INFO root: all is well\r\x1b[2J",), None)
    )
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "  ="])
def test_a_cell_is_no_formula(begin: str) -> None:
    assert safe_cell(f"{begin}cmd|' /C calc'!A0").startswith("'")


def test_parts_run_with_as_little_power_as_they_need() -> None:
    image = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER (?!root)", image, re.MULTILINE)
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
    for name in ("api", "watch", "serve", "housekeep"):
        part = compose["services"][name]
        assert part["read_only"] is True, name
        assert part["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in part["security_opt"], name
    unit = (ROOT / "deploy/systemd/waferwatch@.service").read_text(encoding="utf-8")
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes", "User=waferwatch"):
        assert line in unit
