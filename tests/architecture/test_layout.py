"""The tree is the architecture: layers, sizes and names are checked, not hoped for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for layer in ("models", "pipelines", "services") for path in (ROOT / layer).rglob("*.py"))
BANNED_NAMES = {"utils", "util", "common", "core", "base", "manager", "helpers", "misc"}


def test_import_contracts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True) == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_idea_and_says_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""'), "first line says the file's idea"
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
