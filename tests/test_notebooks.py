"""Every notebook runs from top to bottom, stores its outputs, and teaches by asking."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.once

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def _refresh():
    spec = importlib.util.spec_from_file_location("refresh", FOLDER / "refresh.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_eight():
    assert [name[0] for name in NOTEBOOKS] == list("12345678")


@pytest.mark.filterwarnings("default")  # of the kernel's libraries, not ours
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs_and_its_outputs_are_stored(name):
    stored = nbformat.read(FOLDER / name, as_version=4)
    fresh = _refresh().executed(FOLDER / name)
    kinds = [[_kinds(cell) for cell in book.cells] for book in (stored, fresh)]
    assert kinds[0] == kinds[1], "run: python notebooks/refresh.py"
    assert "stderr" not in str(kinds)


def _kinds(cell):
    """The kinds of output of a cell, each once: a busy machine sends one text in two pieces."""
    kinds = (
        (output.output_type, output.get("name") or tuple(sorted(output.data)))
        for output in cell.get("outputs", [])
    )
    return list(dict.fromkeys(kinds))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_asks_before_it_answers(name):
    cells = nbformat.read(FOLDER / name, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert text.count("**Predict") >= 3
    assert text.count("<details><summary>Answer</summary>") >= 2
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_holds_no_path_of_a_machine(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"/(home|tmp|root|Users|work)/|ipykernel_\d+", text)
