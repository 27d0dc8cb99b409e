"""The one check command: format, lint, strict types, tests. CI runs exactly this.

python check.py [arguments for pytest]
"""

from __future__ import annotations

import subprocess
import sys

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "tests": ["pytest", "-n", "auto", "--dist", "worksteal", *sys.argv[1:]],
}


def main() -> int:
    failed = []
    for name, (module, *arguments) in CHECKS.items():
        print(f"== {name}: {module} {' '.join(arguments)}", flush=True)
        if subprocess.run([sys.executable, "-m", module, *arguments]).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
