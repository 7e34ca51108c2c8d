"""The real Alertmanager: what opens here fires there, and what is closed here is over there."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.domain.errors import InputError, RetryableError
from services.alerting.channels.alertmanager import Alertmanager
from services.alerting.channels.posting import Poster
from tests.services.alerting.channels.sending import answers, free_port, message, wait_until

BINARY = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    if BINARY is None:
        pytest.skip("no Alertmanager (Debian package prometheus-alertmanager)")
    (tmp_path / "config.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    port = free_port()
    command = [BINARY, f"--config.file={tmp_path}/config.yml", f"--storage.path={tmp_path}/data",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        wait_until(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def firing(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/alerts?active=true", trust_env=False).json()
    return found


def test_from_opening_to_closing(url: str) -> None:
    channel = Alertmanager("am", Poster(f"{url}/api/v2/alerts", private=True), base_url="https://ww.fab.example")
    now = "2030-01-01T00:00:00+00:00"
    channel.send(message(raised_at=now))
    channel.send(message("alert.repeated", count=13, raised_at=now))
    wait_until(lambda: firing(url))
    (alert,) = firing(url)
    assert alert["labels"]["pattern"] == "Ring"
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["count"] == "13"
    assert alert["generatorURL"] == "https://ww.fab.example/alerts/7"
    channel.send(message("alert.closed", state="resolved"))
    wait_until(lambda: not firing(url))


def test_what_it_refuses_is_not_sent_again(url: str) -> None:
    with pytest.raises(InputError, match="400"):
        Alertmanager("am", Poster(f"{url}/api/v2/alerts", private=True)).send(message(first_seen="yesterday"))


def test_nobody_there() -> None:
    poster = Poster(f"http://127.0.0.1:{free_port()}/api/v2/alerts", private=True)
    with pytest.raises(RetryableError):
        Alertmanager("am", poster).send(message())
