"""Compile the C parts, the engine's (_node.c) and calls of machine code (_call.c), where it works.

Without a C compiler, or with MICROGRADIENT_PURE=1, the package is the same in Python alone. The
modules go beside their sources, where an editable installation finds them, and from there into a
wheel.
"""

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = [
    Path("src/microgradient/engine/_node.c"),
    Path("src/microgradient/compiler/llvm/_call.c"),
]
ENDING = ".pyd" if sys.platform == "win32" else ".abi3.so"
# Without contraction into fused operations, results are those of Python to the last bit.
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O2", "-ffp-contract=off", "-std=c11"]


class CompileEngine(BuildHookInterface):  # type: ignore[misc]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        if version == "editable":  # a wheel names its own: what an installation uses stays
            for source in SOURCES:
                _built(Path(self.root, source)).unlink(missing_ok=True)
        unwanted = os.environ.get("MICROGRADIENT_PURE", "0") not in ("", "0")
        if unwanted or sys.implementation.name != "cpython":
            return
        for source in SOURCES:
            try:
                _compile(Path(self.root, source), Path(self.directory, "native"))
            except Exception as fault:  # no compiler, or an unusual one: whatever it raises
                self.app.display_warning(f"{source.name} stays in Python: {fault}")
            else:
                build_data["artifacts"].append(_built(source).as_posix())
        if not build_data["artifacts"]:
            return
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"


def _built(source: Path) -> Path:
    return source.with_name(source.stem + ENDING)


def _compile(source: Path, work: Path) -> None:
    from setuptools import Distribution, Extension

    name = source.stem
    extension = Extension(name, [str(source)], py_limited_api=True, extra_compile_args=FLAGS)
    command: Any = Distribution({"ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(work), str(work)
    command.ensure_finalized()
    command.run()
    Path(command.get_ext_fullpath(name)).replace(_built(source))
