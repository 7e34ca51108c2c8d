"""The file of channels: the example is one, secrets stay out of it, and what is wrong is named."""

from pathlib import Path

import pytest

from models.domain.errors import ConfigurationError
from services.alerting.channels.channel_file import ChannelFile

EXAMPLE = Path(__file__).parents[4] / "deploy" / "channels.yaml"


def test_the_example_is_one() -> None:
    found = ChannelFile.load(EXAMPLE)
    assert {one.kind for one in found.channels} == {"webhook", "mail", "syslog", "alertmanager", "mqtt", "secs"}
    assert "shift-lead" in found.names
    assert "shift-lead" not in found.defaults


def test_without_a_file_nobody_is_told() -> None:
    assert ChannelFile.load(None).open() == ()


def test_secrets_are_read_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("k\n")
    path = tmp_path / "channels.yaml"
    path.write_text(
        f"channels:\n- {{name: a, kind: webhook, url: 'https://x/', secret: {{file: {tmp_path}/key}}}}\n"
        "- {name: b, kind: webhook, url: 'https://x/', secret: {env: WW_TEST_SECRET}}\n"
        "- {name: c, kind: syslog, host: h, default: false}\n"
    )
    with pytest.raises(ConfigurationError, match="WW_TEST_SECRET"):
        ChannelFile.load(path).open()
    monkeypatch.setenv("WW_TEST_SECRET", "s")
    assert [one.name for one in ChannelFile.load(path).open()] == ["a", "b", "c"]
    assert ChannelFile.load(path).defaults == ("a", "b")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("channels: [{name: a, kind: pigeon}]", "pigeon"),
        ("channels: [{name: a, kind: webhook, url: 'https://x', secret: {}}]", "secret"),
        ("channels: [{name: a, kind: syslog, host: h}, {name: a, kind: syslog, host: h}]", "same name"),
        ("channels: [{name: A b, kind: syslog, host: h}]", "name"),
        ("channels: [{name: a, kind: mail, host: h, sender: s, to: []}]", "to"),
        ("{", "cannot read"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "channels.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=named):
        ChannelFile.load(path)


def test_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml"):
        ChannelFile.load(tmp_path / "none.yaml")
