"""Compile the C part of the engine (src/microgradient/engine/_node.c), where that can be done.

Without a C compiler, or with MICROGRADIENT_PURE=1, the package is the same in Python alone. The
module goes beside its source, where an editable installation finds it, and from there into a wheel.
"""

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src/microgradient/engine")
# Without contraction into fused operations, results are those of Python to the last bit.
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O2", "-ffp-contract=off", "-std=c11"]


class CompileEngine(BuildHookInterface):  # type: ignore[misc]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        folder = Path(self.root, FOLDER)
        built = folder / ("_node.pyd" if sys.platform == "win32" else "_node.abi3.so")
        if version == "editable":  # a wheel names its own: what an installation uses stays
            built.unlink(missing_ok=True)
        unwanted = os.environ.get("MICROGRADIENT_PURE", "0") not in ("", "0")
        if unwanted or sys.implementation.name != "cpython":
            return
        try:
            _compile(folder, Path(self.directory, "native"), built)
        except Exception as fault:  # no compiler, or an unusual one: whatever it raises
            self.app.display_warning(f"the engine stays in Python: {fault}")
            return
        build_data["artifacts"].append(str(FOLDER / built.name))
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"


def _compile(folder: Path, work: Path, built: Path) -> None:
    from setuptools import Distribution, Extension

    extension = Extension(
        "_node", [str(folder / "_node.c")], py_limited_api=True, extra_compile_args=FLAGS
    )
    command: Any = Distribution({"ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(work), str(work)
    command.ensure_finalized()
    command.run()
    Path(command.get_ext_fullpath("_node")).replace(built)
