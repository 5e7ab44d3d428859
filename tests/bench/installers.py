"""The command as each installer writes it, in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests import artefacts, venvs
from tests.bench.timing import Row
from tests.harness import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.world import World

#: pip 21.2 came with Python 3.10, 23.0 with Debian 12; neither runs on a newer Python than 3.11.
PIPS = ("21.2.4", "23.0.1") if sys.version_info < (3, 12) else ("23.2.1",)


def rows(world: World) -> list[Row]:
    """Return a hit by the command of each installer that can be had; all read the same entry."""
    folder = world.folder / "installers"
    artefacts.build(artefacts.source(), folder / "dist", sys.executable, "--wheel")
    wheel = str(artefacts.wheel(folder / "dist"))
    found = []
    for name in (*(f"pip {version}" for version in PIPS), "pip, the newest", "uv"):
        try:
            command = _installed(folder / name.replace(" ", "-").replace(",", ""), name, wheel)
        except subprocess.CalledProcessError as error:
            print(f"left out: {name}: status {error.returncode}")
            continue
        row = Row(f"credproc: hit, installed by {name}", [command], world.env(world.home(name)))
        row.once()
        found.append(row)
    return found


def _installed(folder: Path, name: str, wheel: str) -> str:
    """Install the wheel into a new environment; return the path of its command."""
    python = str(folder / "bin" / "python")
    venvs.call([sys.executable, "-m", "venv", "--without-pip", str(folder)], quiet=True)
    pip = [sys.executable, "-m", "pip"]
    given = ["install", "--no-deps", wheel]
    kind, _, version = name.partition(" ")
    if kind == "uv":
        venvs.call(
            [str(SCRIPTS / "uv"), "pip", given[0], "--python", python, *given[1:]], quiet=True
        )
    elif version in PIPS:
        old = str(folder / "old-pip")
        venvs.call([*pip, "install", "--target", old, f"pip=={version}"], quiet=True)
        venvs.call([python, "-m", "pip", *given], quiet=True, PYTHONPATH=old)
    else:
        venvs.call([*pip, "--python", python, *given], quiet=True)
    return str(folder / "bin" / "credproc")
