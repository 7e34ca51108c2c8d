"""The page of models: the command it shows is one that the command line takes."""

import re
import shlex
from html import unescape
from pathlib import Path

import pytest
from typer.main import get_command

from services.cli.app import app
from tests.services.api.conftest import Serve, serve  # noqa: F401 - fixture
from tests.services.faking_models import FakeModels


@pytest.mark.parametrize("registered", [True, False])
def test_the_command_that_trains_a_challenger(serve: Serve, *, registered: bool) -> None:  # noqa: F811
    models = FakeModels()
    models.versions = models.versions if registered else ()
    page = serve(models_known=models).client.get("/models").text
    (command,) = re.findall(r'<pre class="command"[^>]*>(.*?)</pre>', page, re.DOTALL)
    lines = unescape(command).replace("\\\n", "").split("&&")
    verbs = [taken(*shlex.split(line)) for line in lines]
    assert verbs == ["from-labels", "train", "release"]
    assert Path(shlex.split(lines[1])[2]).is_file(), "the recipe that comes with waferwatch"
    assert "--people 1" in lines[0], "where nobody logs in nobody can give a second opinion"


def taken(program: str, *words: str) -> str:
    """The verb that takes these words; each option must be one of its own."""
    assert program == "waferwatch"
    verb, rest = get_command(app), list(words)
    while hasattr(verb, "commands"):
        verb = verb.commands[rest.pop(0)]
    known = {name for one in verb.params for name in one.opts}
    assert {one for one in rest if one.startswith("--")} <= known, (verb.name, known)
    return verb.name or ""
