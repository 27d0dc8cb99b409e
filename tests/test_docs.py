"""Every example runs, every generated page is up to date, every link leads somewhere."""

import doctest
import importlib.util
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import microgradient as mg
from microgradient import Op
from microgradient.check import check_gradient, check_op

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *map(str, Path(ROOT, "docs").glob("*.md"))]


def _module(path: str):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("README.md", 12),
        ("docs/views.md", 15),
        ("docs/check.md", 20),
        ("docs/compile.md", 20),
        ("docs/transforms.md", 20),
        ("docs/reproduce.md", 6),
    ],
)
def test_examples(page, least, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they write files
    result = doctest.testfile(str(ROOT / page), module_relative=False)
    assert result.attempted >= least
    assert result.failed == 0


def test_table_of_operations_is_up_to_date():
    page = _module("docs/operations.py").page()
    assert (ROOT / "docs/operations.md").read_text(encoding="utf-8") == page, (
        "run: python docs/operations.py"
    )


def test_table_of_accuracy_has_every_operation():
    """Its numbers depend on the machine's C library; its rows do not."""
    text = (ROOT / "docs/numerics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| \d", text, re.M)
    assert rows == list(mg.OPS)
    assert len(re.findall("proved, ", text)) == len(rows)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_operation_that_contributing_adds():
    code = re.search(r"```python\n(bell = .*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    names = {"Op": Op}
    exec(code[1], names)
    bell = names["bell"]
    assert check_op(bell).proof == "proved, 1 branch"
    assert check_gradient(bell, 0.7, order=3).ok
    assert mg.derivative(bell, 2)(0.0) == -2.0


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert mg.__version__ == project["version"]
    assert f"version: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_files_that_the_docs_name_exist():
    """The house as CONTRIBUTING and docs/design.md show it: no name is stale, none is missing."""
    known = {path.name for path in ROOT.rglob("*.py")}
    for page in (ROOT / "CONTRIBUTING.md", ROOT / "docs" / "design.md"):
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"(?<![\w*])(\w+\.py)\b", text)) <= known, page
    words = set(re.findall(r"\w+", text))
    modules = {path.stem for path in (ROOT / "src").rglob("*.py")} - {"__init__", "__main__"}
    assert modules <= words


def test_the_source_distribution_holds_what_its_test_command_needs():
    """Every file of the repository, which a copy of it, or that distribution, holds alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = {name.strip("/") for name in project["targets"]["sdist"]["include"]}
    always = {"README.md", "LICENSE", "pyproject.toml", ".gitignore"}
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "ls-files", "-z"]
        files = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = {name.partition("/")[0] for name in files.split("\0") if name}
    else:
        ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
        found = {path.name for path in ROOT.iterdir()} - {"PKG-INFO"}
        found = {name for name in found if not any(fnmatch(name, pattern) for pattern in ignored)}
    assert found == included | always
