"""The arrows between the parts, as data, held against the imports in the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import microgradient

pytestmark = pytest.mark.once

ROOT = Path(microgradient.__file__).parent
ALLOWED = {
    "engine": set(),
    "compiler": {"engine"},
    "files": {"engine"},
    "streams": set(),
    "nn": {"engine", "files"},
    "nn.training": {"engine", "compiler", "nn", "streams"},
    "view": {"engine", "files", "nn", "nn.training", "streams"},
    "check": {"engine", "nn", "nn.training"},
    "rumelhart1986": {"engine", "files", "nn", "nn.training"},
    "gallery": {"", "engine", "nn", "nn.training", "check", "rumelhart1986"},
    "cli": {"engine", "files", "gallery", "nn", "nn.training", "rumelhart1986", "streams", "view"},
    "__main__": {"cli"},
    "": {"engine", "compiler", "nn", "nn.training", "view"},
}
"""From each part to those that it imports; "" is the package itself, which exports."""

ENTRANCES = {"nn": {"nn.training"}}
"""The ``__init__`` of a part may export from others too."""


def modules(root=ROOT, package="microgradient"):
    """Return the modules below ``root`` by name."""
    found = {}
    for path in root.rglob("*.py"):
        parts = (package, *path.relative_to(root).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path, known):
    """Return what ``path`` imports, names within ``known`` modules too: everywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def arrows(known):
    """Return for each module those among ``known`` that it imports itself."""
    return {
        name: {m for m in imports(path, known) if m in known and m != name}
        for name, path in known.items()
    }


def circles(arrow):
    """Return the modules that import each other in circles, and those between two circles."""
    arrow = dict(arrow)
    while True:
        imported = set().union(*arrow.values())
        ends = {m for m, them in arrow.items() if m not in imported or not them & arrow.keys()}
        if not ends:
            return sorted(arrow)
        arrow = {m: targets - ends for m, targets in arrow.items() if m not in ends}


def part_of(module):
    inside = module.removeprefix("microgradient").removeprefix(".")
    parts = [part for part in ALLOWED if inside == part or inside.startswith(f"{part}.")]
    return max(parts, key=len, default="")


def test_arrows_point_one_way():
    known = modules()
    for name, targets in arrows(known).items():
        part = part_of(name)
        entrance = ENTRANCES.get(part, set()) if known[name].name == "__init__.py" else set()
        for target in targets - {"microgradient"}:
            assert part_of(target) in ALLOWED[part] | entrance | {part}, (name, target)


def test_no_imports_in_a_circle():
    """Nor lazy ones, nor those for type checking: a circle is one idea in several files."""
    known = modules()
    found = arrows(known)
    found["microgradient"] = set()  # it exports everything, and nothing imports that from it
    assert circles(found) == []


def test_nothing_but_the_version_is_imported_from_the_package_itself():
    """Else the test above would not see the circle. The gallery's pieces are programs of users."""
    known = modules()
    for name in known.keys() - {"microgradient"}:
        if part_of(name) == "gallery":
            continue
        for node in ast.walk(ast.parse(known[name].read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "microgradient":
                names = {a.name for a in node.names if f"microgradient.{a.name}" not in known}
                assert names <= {"__version__"}, name
            elif isinstance(node, ast.Import):
                assert "microgradient" not in {alias.name for alias in node.names}, name


def test_no_module_replaces_an_export_of_its_package():
    """Importing ``a.b`` sets ``b`` in ``a``: a function of that name would be lost."""
    known = modules()
    for name, path in known.items():
        if path.name == "__init__.py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        replaced = f"{name}.{alias.asname or alias.name}"
                        assert replaced not in known or node.module == name, replaced


def test_views_are_exported_but_imported_when_asked_for():
    views = {}
    for node in ast.walk(ast.parse((ROOT / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("microgradient.view."):
            views |= {alias.name: node.module for alias in node.names}
    assert views == microgradient._VIEWS
    assert views.keys() <= {*microgradient.__all__} & {*dir(microgradient)}
    code = (
        "import sys, microgradient as mg\n"
        "assert not any(name.startswith('microgradient.view') for name in sys.modules)\n"
        "from microgradient import *\n"
        "assert draw is mg.draw and live is mg.live and sin is mg.sin and nn is mg.nn\n"
        "assert all(callable(getattr(mg, name)) for name in mg._VIEWS)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_circle_is_found(tmp_path):
    (tmp_path / "a.py").write_text("from p.b import x\n")
    (tmp_path / "b.py").write_text("def f():\n    from p.c import y\n")
    (tmp_path / "c.py").write_text("import p.a\n")
    (tmp_path / "d.py").write_text("import p.a\n")
    assert circles(arrows(modules(tmp_path, "p"))) == ["p.a", "p.b", "p.c"]
    (tmp_path / "c.py").write_text("")
    assert circles(arrows(modules(tmp_path, "p"))) == []


def test_parts_are_all_listed():
    parts = {p.name.removesuffix(".py") for p in ROOT.iterdir() if p.suffix == ".py" or p.is_dir()}
    listed = {part for part in ALLOWED if part and "." not in part}
    assert parts - {"__pycache__", "__init__"} == listed


GENERATOR = ROOT / "compiler" / "python" / "source.py"


def test_no_pickle_eval_or_exec_in_the_source():
    """But for the Python backend: what it runs is fuzzed in tests/test_hostile_programs.py."""
    for path in set(ROOT.rglob("*.py")) - {GENERATOR}:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile"), path
            if isinstance(node, ast.Import):
                assert "pickle" not in {alias.name for alias in node.names}, path
            if isinstance(node, ast.ImportFrom):
                assert node.module != "pickle", path


def test_tests_leave_no_process_behind():
    """A child that outlives its test takes its time from the next ones, and their pipes.

    ``subprocess.run`` kills and waits whatever happens; ``Popen`` does so in a ``with`` whose body
    kills in ``finally``. No test limits the time of a process: a slow machine is no fault.
    """
    for path in Path(__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        guarded = [
            item.context_expr
            for node in ast.walk(tree)
            if isinstance(node, ast.With) and _kills(node)
            for item in node.items
        ]
        for node in ast.walk(tree):
            name = getattr(getattr(node, "func", None), "attr", "")
            if name == "Popen":
                assert node in guarded, f"{path.name}:{node.lineno}"
            if name in ("Popen", "run", "communicate", "wait", "check_output"):
                assert "timeout" not in {k.arg for k in node.keywords}, f"{path.name}:{node.lineno}"


def _kills(node):
    (body,) = node.body if len(node.body) == 1 else (None,)
    return isinstance(body, ast.Try) and any(
        isinstance(call, ast.Attribute) and call.attr == "kill"
        for part in body.finalbody
        for call in ast.walk(part)
    )
