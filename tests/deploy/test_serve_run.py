"""The declarative configuration really deploys: `serve run` with the file for GPU machines, on pretended GPUs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.parts.serve import RAY_SETTINGS
from services.up import environment_of, prepare_home
from tests.services.conftest import MakeBundle, make_bundle, wafers  # noqa: F401 - fixtures
from tests.services.serving.service import Service

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(400),
]
DEPLOY = Path(__file__).parents[2] / "deploy"


def test_serve_run_inspects_wafers(
    tmp_path: Path,
    make_bundle: MakeBundle,  # noqa: F811
    wafers: list[Path],  # noqa: F811
) -> None:
    service = Service(tmp_path, make_bundle)
    prepare_home(service.settings)
    service.release(1)
    environment = {
        **os.environ,
        **environment_of(service.settings),
        "WAFERWATCH_HOME": str(tmp_path),
        "RAY_OVERRIDE_RESOURCES": json.dumps({"CPU": 8, "GPU": 1}),
        **RAY_SETTINGS,
        "PYTHONPATH": str(DEPLOY.parent),
    }
    log = tmp_path / "serve.log"
    command = [str(Path(sys.executable).with_name("serve")), "run", str(DEPLOY / "serve.yaml")]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=out, cwd=tmp_path, start_new_session=True
        )
    try:
        state, inspections = service.finished(service.send(wafers[0]), 240)
        assert (state.value, len(inspections)) == ("done", 1), log.read_text()[-3000:]
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
