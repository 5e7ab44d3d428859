"""Virtual environments on a machine that has Python and pip, and perhaps nothing else.

Standard library only, because it runs before anything is installed::

    python3 tests/venvs.py FOLDER [--extra NAME]... [REQUIREMENT]...
"""

from __future__ import annotations

import argparse
import configparser
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: The releases of the tools that were used last; the file says how it is made again.
PINNED = ("--constraint", str(ROOT / ".constraints.txt"))

#: pip that can install into an environment other than its own: --python came with 22.3.
FOREIGN = (22, 3)


class Venv:
    """A virtual environment in a folder, of some interpreter; made when it is not there."""

    def __init__(self, folder: Path, interpreter: str = sys.executable) -> None:
        self.folder = folder.resolve()
        self.interpreter = interpreter
        #: What a finished environment says of itself.
        self._mark = sys.version if interpreter == sys.executable else interpreter
        self.scripts = self.folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / "python"

    @property
    def exists(self) -> bool:
        """Whether a finished environment of this interpreter's release is there."""
        marker = self.folder / ".complete"
        return marker.is_file() and marker.read_text() == self._mark

    def make(self) -> None:
        """Make the environment, with a pip of its own, unless it exists.

        Debian's Python has venv without ensurepip, so pip comes from the machine's pip; one that
        cannot do that is left for ensurepip. Either way the environment then gets the current pip:
        the commands that an old one writes import ``re``, which costs each run 7 ms.
        """
        if self.exists:
            return
        foreign = _pip_version() >= FOREIGN
        options = ["--without-pip"] if foreign else []
        call([self.interpreter, "-m", "venv", "--clear", *options, str(self.folder)])
        if foreign:
            target = ["--python", str(self.python)]
            call([sys.executable, "-m", "pip", *target, "install", "--quiet", "pip"], quiet=True)
        else:
            self.install("--upgrade", "pip")
        (self.folder / ".complete").write_text(self._mark)

    def install(self, *requirements: str) -> None:
        """Install the requirements with the environment's own pip."""
        call([str(self.python), "-m", "pip", "install", "--quiet", *requirements], quiet=True)


def call(command: list[str], *, quiet: bool = False, cwd: Path | None = None, **extra: str) -> None:
    """Run the command to its end; CalledProcessError unless it succeeds.

    A quiet command is heard only when it fails. Whatever it started ends with this process's
    patience: pip hands its work to a child, which would go on writing after Ctrl-C.
    """
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env={**environment(), **extra},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        start_new_session=True,
    )
    try:
        said, _ = child.communicate()
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    if child.returncode:
        if quiet:
            sys.stderr.write(said.decode(errors="replace"))
        raise subprocess.CalledProcessError(child.returncode, command)


def environment() -> dict[str, str]:
    """Return the environment without what points an interpreter at another one's modules.

    Nor is bytecode switched off: without it a program's start is slower than its users see it. uv
    trusts what the machine trusts, as pip does, so that both work behind a company's own proxy.
    """
    dropped = ("PIP_NO_COMPILE", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and (not name.startswith("PYTHON") or name == "PYTHONUNBUFFERED")
    }
    return {"UV_SYSTEM_CERTS": "1", **kept}


def requirements(*extras: str) -> list[str]:
    """Return what setup.cfg requires at run time and for these extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = [config["options"]["install_requires"]]
    lists += [config["options.extras_require"][extra] for extra in extras]
    return [line for text in lists for line in text.strip().splitlines()]


def _pip_version() -> tuple[int, ...]:
    """Return the version of this interpreter's pip, or nothing without one."""
    command = [sys.executable, "-m", "pip", "--version"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    words = found.stdout.split()
    if found.returncode or len(words) < 2:
        return ()
    return tuple(int(part) for part in words[1].split(".")[:2] if part.isdecimal())


def main() -> None:
    """Make the environment that the command line describes."""
    parser = argparse.ArgumentParser(description="Make a virtual environment.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--extra",
        action="append",
        default=[],
        help="of setup.cfg, in the pinned releases; repeat it",
    )
    parser.add_argument("requirement", nargs="*")
    options = parser.parse_args()
    venv = Venv(options.folder)
    venv.make()
    wanted = list(options.requirement)
    if options.extra:
        wanted += [*PINNED, *requirements(*options.extra)]
    if wanted:
        venv.install(*wanted)


if __name__ == "__main__":
    main()
