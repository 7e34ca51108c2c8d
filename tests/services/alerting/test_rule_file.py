"""The file of rules: every word is checked, and what is wrong is named."""

import re
from pathlib import Path

import pytest
import yaml

from models.domain.alert import Severity
from models.domain.errors import ConfigurationError
from services.alerting.rule_file import SHIPPED, Rules, as_yaml, shipped_rules
from services.alerting.rule_kinds import FileEvent
from tests.services.alerting.test_rules import rules

PATTERN = {"kind": "pattern"}


def test_the_shipped_file_gives_a_reason_beside_each_number() -> None:
    bare = [
        line
        for line in SHIPPED.read_text(encoding="utf-8").splitlines()
        if re.search(r":\s*[\d.]+\s*$", line) and "version" not in line
    ]
    explained = {"per_10_min", "flood", "m", "smallest", "last", "every_min", "window_min", "cool_down_min"}
    assert {line.split(":")[0].strip(" -") for line in bare} <= explained, "these stand beside one with a reason"
    assert all(rule.action for rule in shipped_rules().rules)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kind": "pattern", "severity": "grave"}, "severity"),
        ({"kind": "pattern", "min_confidence": 2}, "min_confidence"),
        ({"kind": "pattern", "labls": ["Ring"]}, "labls"),
        ({"kind": "pattern", "action": ""}, "action"),
        ({"kind": "pattern", "name": "Ring Rule"}, "name"),
        ({"kind": "repeat", "n": 6, "m": 5}, "clear < n <= m"),
        ({"kind": "repeat", "n": 3, "m": 5, "clear": 3}, "clear < n <= m"),
        ({"kind": "repeat", "n": 3, "m": 5, "by_product": False, "where": {"product": ["P1"]}}, "by_product"),
        ({"kind": "rate", "chart": {"kind": "shewhart"}}, "chart"),
        ({"kind": "horoscope"}, "horoscope"),
        ({"kind": "pattern", "escalate": {"after_min": 5, "to": []}}, "escalate"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(wrong: dict[str, object], named: str) -> None:
    part = {"name": "one", "severity": "info", "action": "Look.", **wrong}
    text = yaml.safe_dump({"version": 1, "rules": [part]})
    with pytest.raises(ConfigurationError) as caught:
        Rules.parse(text, "rules.yaml")
    assert named in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "version: 2\nrules: []", ""])
def test_what_is_no_file_of_rules(text: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        Rules.load(path)
    with pytest.raises(ConfigurationError, match="cannot read rules"):
        Rules.load(tmp_path / "none.yaml")


def test_names_differ() -> None:
    with pytest.raises(ValueError, match="same name"):
        rules({"name": "one", **PATTERN}, {"name": "one", **PATTERN})


def test_files_are_never_forgotten() -> None:
    assert rules().for_file(FileEvent.DEAD).severity is Severity.CRITICAL
    own = rules({"name": "dead", "kind": "file", "event": "dead", "severity": "info"})
    assert own.for_file(FileEvent.DEAD).severity is Severity.INFO
    assert own.for_file(FileEvent.QUARANTINE).severity is Severity.WARNING


def test_channels_that_nobody_set_up_are_named() -> None:
    chosen = rules({"kind": "pattern", "tell": ["mail"], "escalate": {"after_min": 5, "to": ["lead"]}})
    chosen.check_channels(["mail", "lead", "other"], "rules.yaml")
    with pytest.raises(ConfigurationError, match="lead"):
        chosen.check_channels(["mail"], "rules.yaml")


def test_as_text_it_is_the_same() -> None:
    assert Rules.parse(as_yaml(shipped_rules()), "text") == shipped_rules()
