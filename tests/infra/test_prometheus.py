"""The alert rules fire when they should, have a page each, and name only metrics that exist."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from services.records.views import Health
from services.telemetry.exposition import expose
from services.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "prometheus"
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    return subprocess.run([tool, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [("test", "rules", "rules_test.yml"), ("check", "rules", "rules.yml"), ("check", "config", "prometheus.yml")],
    ids=" ".join,
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    result = promtool(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_every_alert_is_tested_and_has_its_page(rule: dict[str, dict[str, str]]) -> None:
    page = ROOT / rule["annotations"]["runbook_url"]
    assert page.name == f"{rule['alert']}.md"
    text = page.read_text(encoding="utf-8")
    assert all(f"**{part}.**" in text for part in ("Meaning", "Impact", "Look", "Do"))
    assert f"alertname: {rule['alert']}" in (FOLDER / "rules_test.yml").read_text(encoding="utf-8")
    assert {"severity"} <= set(rule["labels"])


def exposed_names() -> set[str]:
    """Every name a scrape of ours can hold."""
    healthy = Health(datetime.now(UTC), {}, {}, None, 0, None, 0, 0)
    metrics = Metrics(CollectorRegistry())
    exposed = expose(metrics.registry, lambda: healthy).decode()
    names = set(re.findall(r"^# TYPE (\w+)", exposed, re.MULTILINE))
    return names | {f"{name}{suffix}" for name in names for suffix in ("_bucket", "_count", "_sum", "_total")}


def test_rules_and_pages_name_only_metrics_we_expose() -> None:
    known = exposed_names()
    for path in [FOLDER / "rules.yml", *(ROOT / "infra" / "runbooks").glob("*.md")]:
        for name in re.findall(r"\bwaferwatch_\w+", path.read_text(encoding="utf-8")):
            assert name in known, f"{path.name}: {name}"
