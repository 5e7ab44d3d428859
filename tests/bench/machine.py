"""What a measurement was made on: the header of every table."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path


def header() -> list[str]:
    """Return the machine, the interpreter and the versions as lines."""
    names = ("credproc", "boto3", "botocore", "filelock", "platformdirs", "awscli")
    load = f"{os.getloadavg()[0]:.1f}"
    return [
        f"{_processor()}, {os.cpu_count()} cores, load {load}, Linux {platform.release()}",
        f"CPython {platform.python_version()} in a venv, bytecode compiled, {_modules()} modules",
        ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names),
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _modules() -> int:
    code = "import sys; print(len(sys.modules))"
    return int(subprocess.check_output([sys.executable, "-c", code]))
