"""The one check command: format, lint, strict types, tests with both engines. CI runs exactly this.

python check.py [arguments for pytest]
"""

from __future__ import annotations

import os
import subprocess
import sys

TESTS = ["pytest", "-n", "auto", "--dist", "worksteal", *sys.argv[1:]]
CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "tests": TESTS,  # with the engine in C, where it was built
    "tests of the pure Python engine": [*TESTS, "-m", "not once"],
}


def main() -> int:
    failed = []
    for name, (module, *arguments) in CHECKS.items():
        print(f"== {name}: {module} {' '.join(arguments)}", flush=True)
        pure = {"MICROGRADIENT_PURE": "1"} if "pure" in name else {}
        command = [sys.executable, "-m", module, *arguments]
        if subprocess.run(command, env=os.environ | pure).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
