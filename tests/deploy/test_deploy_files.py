"""What deploy/ says must fit the code it deploys."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.serving.app import INSPECTORS_WANTED

DEPLOY = Path(__file__).parents[2] / "deploy"


def load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", ["serve.yaml", "serve-cpu.yaml", "kubernetes/rayservice.yaml"])
def test_serve_configurations_are_valid_and_name_our_deployments(source: str) -> None:
    from ray.serve.schema import ServeDeploySchema

    content = load(source)
    config = yaml.safe_load(content["spec"]["serveConfigV2"]) if "spec" in content else content
    application = ServeDeploySchema.model_validate(config).applications[0]
    module, _, function = application.import_path.partition(":")
    assert (DEPLOY.parent / Path(*module.split("."))).with_suffix(".py").is_file()
    assert f"def {function}(" in (DEPLOY.parent / Path(*module.split("."))).with_suffix(".py").read_text()
    assert {d.name for d in application.deployments} == {"classifier", "inspector"}
    assert application.route_prefix is None
    for deployment in application.deployments:
        scaling = deployment.autoscaling_config
        policy = scaling["policy"]["policy_function"] if isinstance(scaling, dict) and "policy" in scaling else ""
        assert not policy or policy == INSPECTORS_WANTED


def test_compose_runs_commands_that_exist_with_settings_that_exist() -> None:
    from services.cli.app import app
    from services.settings import PREFIX, Settings

    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    content = load("compose.yaml")
    for name, part in content["services"].items():
        for key in part.get("environment", {}):
            if key.startswith(PREFIX):
                assert key.removeprefix(PREFIX).lower() in Settings.model_fields, key
        if part["image"] == "waferwatch" and "entrypoint" not in part:
            assert part["command"][0] in verbs, name
