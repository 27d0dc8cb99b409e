"""What a report was made with: versions and machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version


def made_with(*packages: str) -> str:
    """Return the versions of packages and of Python, the system and its processors, as text."""
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    system = f"{platform.system()} {platform.machine()}"
    return (
        f"{versions}, Python {platform.python_version()} on {system}, {os.cpu_count()} processors"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
