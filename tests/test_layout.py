"""The arrows between the parts, as data, held against the imports in the source."""

import ast
from pathlib import Path

import microgradient
import microgradient.check

ROOT = Path(microgradient.__file__).parent
ALLOWED = {
    "engine": set(),
    "compiler": {"engine"},
    "nn": {"engine", "compiler"},
    "view": {"engine", "nn"},
    "check": {"engine", "nn"},
    "rumelhart1986": {"engine", "nn"},
    "cli": {"nn", "rumelhart1986", "view"},
    "__main__": {"cli"},
    "__init__": {"engine", "compiler", "nn", "view"},
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


def test_arrows_point_one_way():
    for path in ROOT.rglob("*.py"):
        part = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for module, names in _imports(path):
            head, *rest = module.split(".")
            if head == "microgradient":
                others = {rest[0]} if rest else set(names) - {"__version__"}
                assert others <= ALLOWED[part] | {part}, (path, module)


def test_parts_are_all_listed():
    parts = {p.name.removesuffix(".py") for p in ROOT.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert parts - {"__pycache__"} == set(ALLOWED)


def test_no_module_bears_the_name_of_an_export():
    """Else importing the module would replace the function of the same name."""
    modules = {path.stem for path in ROOT.rglob("*.py")} | {p.name for p in ROOT.iterdir()}
    for package in (microgradient, microgradient.check):
        functions = {name for name in vars(package) if callable(getattr(package, name))}
        assert not modules & functions


GENERATOR = ROOT / "compiler" / "python_source.py"


def test_no_pickle_eval_or_exec_in_the_source():
    """But for the lowering to Python: what it runs is fuzzed in tests/test_hostile_programs.py."""
    for path in set(ROOT.rglob("*.py")) - {GENERATOR}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile"), path
        assert "pickle" not in {module for module, _ in _imports(path)}, path


def test_files_are_short():
    """A smell test: a file of more than 300 lines holds more than one idea."""
    lengths = {path.name: len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    assert max(lengths.values()) <= 300, lengths
