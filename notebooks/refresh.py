"""Run every notebook again and keep its new outputs: python notebooks/refresh.py [NAME ...]"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def executed(path: Path) -> Any:
    """Return the notebook with the outputs of a run from its top; raises where a cell does."""
    notebook = nbformat.read(path, as_version=4)
    settings = {"metadata": {"path": str(HERE)}}
    return NotebookClient(notebook, timeout=900, startup_timeout=600, resources=settings).execute()


def main(names: list[str]) -> None:
    for path in [HERE / name for name in names] or sorted(HERE.glob("*.ipynb")):
        notebook = executed(path)
        for number, cell in enumerate(notebook.cells, 1):
            cell.id = f"cell-{number}"
            cell.metadata.pop("execution", None)
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)
        print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
