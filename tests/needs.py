"""What a test needs of the machine: the one place that says whether it is here and what brings it.

A test says ``@pytest.mark.needs("zsh", "root")``, a fixture or a helper ``needs.demand("zsh")``.
What is missing skips the test, and fails it under ``--all``. A need is one of CHECKS, a program
(``zsh``), or a Python package (``python:twine``).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shlex
import stat
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Skipped  # pytest names it as a value only, not as a class

from tests import programs, venvs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: A need that the command line answers: the test takes long and proves little that is new.
SLOW = "slow"


class Missing(Skipped):
    """Skips the test for what the machine lacks; ``names`` are the needs."""

    def __init__(self, names: list[str], reason: str) -> None:
        super().__init__(reason, _use_item_location=True)
        self.names = names


def demand(*names: str) -> None:
    """Return if the machine has all of this; skip the test if not."""
    missing = {name: why for name in names if (why := lacking(name))}
    if missing:
        raise Missing(list(missing), "; ".join(missing.values()))


@functools.cache
def lacking(name: str) -> str:
    """Return why the machine cannot serve the need; "" if it can."""
    if name in CHECKS:
        return CHECKS[name]()
    if name.startswith("python:"):
        package = name.removeprefix("python:")
        found = importlib.util.find_spec(package.replace("-", "_"))
        return "" if found else f"the package {package} is not installed"
    return "" if programs.find(name) else f"{name} is not installed"


def _root() -> str:
    return "" if os.geteuid() == 0 else "only root can do this"


def _users() -> str:
    """Whether a process may become another user."""
    return _root() or _refused("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def _namespaces() -> str:
    """Whether the kernel gives out new mounts, networks, process ids and host names."""
    return _root() or _refused("unshare", "--mount", "--net", "--uts", "--pid", "--fork")


def _devices() -> str:
    """Whether a device can be made."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.mknod(f"{folder}/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except OSError as error:
            return f"this user cannot make a device ({error.strerror})"
    return ""


def _strace() -> str:
    """Whether strace is here, and may trace."""
    return _refused("strace", "-qq", "-o", os.devnull)


def _refused(program: str, *options: str) -> str:
    """Return what a program says against running a program; "" if it runs it."""
    found = programs.find(program)
    if not found:
        return f"{program} is not installed"
    command = [found, *options, "sh", "-c", ":"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def _network() -> str:
    """Whether pip reaches its index, by whatever way it is told to."""
    command = [sys.executable, "-m", "pip", "index", "versions", "pip"]
    env = venvs.environment()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    return "pip does not reach its index" if done.returncode else ""


def _cgroups() -> str:
    """Whether a control group can be made, as systemd makes one for each service."""
    refused = "control groups are not mounted"
    for base in ("unified", "systemd", "."):
        folder = f"/sys/fs/cgroup/{base}/credproc-need"
        if os.path.exists(f"{os.path.dirname(folder)}/cgroup.procs"):
            try:
                os.mkdir(folder)
            except OSError as error:
                refused = f"this user cannot make a control group ({error.strerror})"
            else:
                os.rmdir(folder)
                return ""
    return refused


#: Needs that take more than a look at PATH.
CHECKS: dict[str, Callable[[], str]] = {
    "root": _root,
    "users": _users,
    "namespaces": _namespaces,
    "devices": _devices,
    "network": _network,
    "strace": _strace,
    "cgroups": _cgroups,
    SLOW: lambda: "it is slow, and runs under --all",
}


def thinned(cases: Iterable[Any], step: int = 3) -> list[Any]:
    """Return the cases of a test that proves much the same with each of them.

    By default it has one of ``step``, under --all every one.
    """
    return [case if number % step == 0 else _slow(case) for number, case in enumerate(cases)]


def _slow(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.slow)


def command(names: Iterable[str]) -> str:
    """Return the one command that runs what was skipped for lack of these."""
    wanted = set(names)
    run = "python3 tests/run.py --all"
    as_root = wanted & {"root", "users", "namespaces", "devices", "cgroups"}
    if as_root:
        wanted |= {"setpriv", "unshare"}
    lacks = [name for name in wanted if _is_program(name) and not programs.find(name)]
    packages = {programs.DEBIAN.get(name, name) for name in lacks}
    sudo = "" if os.geteuid() == 0 else "sudo "
    if not packages:
        return f"{sudo if as_root else ''}{run}"
    install = shlex.join(["apt-get", "install", *sorted(packages)])
    return f"{sudo}{install} && {sudo if as_root else ''}{run}"


def _is_program(name: str) -> bool:
    return name in programs.DEBIAN or (name not in CHECKS and not name.startswith("python:"))
