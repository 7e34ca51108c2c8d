"""The tree is the architecture: layers, sizes and names are checked, not hoped for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for layer in ("models", "pipelines", "services") for path in (ROOT / layer).rglob("*.py"))
BANNED_NAMES = {"utils", "util", "common", "core", "base", "manager", "helpers", "misc"}


def test_import_contracts_hold() -> None:
    # In a process of its own: import-linter reconfigures logging, which would silence the loggers of other tests.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_idea_and_says_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.removeprefix("r").startswith('"""'), "first line says the file's idea"
    assert len(text.splitlines()) <= 500
    assert not BANNED_NAMES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}


@pytest.mark.parametrize("package", ["", "pipelines/ingestion", "services"])
def test_no_module_is_named_like_the_standard_library(package: str) -> None:
    names = {path.stem for path in SOURCES if package in str(path)} - {"__init__", "__main__"}
    shadowed = names & set(sys.stdlib_module_names) & {"logging", "inspect", "queue", "types", "random", "statistics"}
    assert not shadowed


def test_no_committed_file_names_a_package_host() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    hosts = re.compile("|".join(["py" + r"pi\.org", "pythonhosted" + r"\.org", "npm" + r"js\.org"]))
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".png", ".gz", ".ico"} or not path.is_file():
            continue
        assert not hosts.search(path.read_text(encoding="utf-8", errors="replace")), name


@pytest.mark.parametrize("module", ["models.bundle", "models.decision", "models.recipe", "services.cli"])
def test_light_modules_do_not_import_torch_or_ray(module: str) -> None:
    code = f"import sys, {module}; sys.exit(any(m in sys.modules for m in ('torch', 'ray', 'mlflow')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
