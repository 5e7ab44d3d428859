#!/usr/bin/env python3
"""The Pythons that credproc is tried under: those that are here, and those of Debian's testing.

Standard library only, because it runs before anything is installed::

    python3 tests/pythons.py FOLDER

takes from Debian's testing what setup.cfg names and this machine has not: FOLDER/3.14/usr/bin then
has that Python and nothing else. Needs mmdebstrap and patchelf; changes nothing outside the folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MIRROR = "http://deb.debian.org/debian"
#: Where Debian's ensurepip looks for pip, whatever folder Python lies in.
WHEELS = "/usr/share/python-wheels/"


def releases(setup: str) -> list[str]:
    """Return the releases that the classifiers in the text of a setup.cfg name, oldest first."""
    return sorted(re.findall(r"Python :: (3\.\d+)", setup), key=lambda text: int(text[2:]))


def present(wanted: Sequence[str]) -> dict[str, Path]:
    """Return an interpreter of each release: on PATH, Debian's, pyenv's; the own one as it is."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = {own: Path(sys.executable).resolve()}
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [*map(Path, os.get_exec_path()), Path("/usr/bin"), Path("/usr/local/bin")]
    for release in wanted:
        places = [folder / f"python{release}" for folder in folders if folder != root / "shims"]
        for place in [*places, *root.glob(f"versions/{release}.*/bin/python{release}")]:
            if release not in found and place.is_file() and _works(place):
                found[release] = place
    return {release: found[release] for release in wanted if release in found}


def _works(python: Path) -> bool:
    command = [str(python), "-c", "import venv, ensurepip, ssl"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> int:
    """Fetch what is missing; 1 if it came and does not work."""
    folder = Path(sys.argv[1]).resolve()
    setup = (Path(__file__).resolve().parents[1] / "setup.cfg").read_text(encoding="utf-8")
    wanted = releases(setup)
    here = present(wanted)
    print("here:", *here)
    missing = [release for release in wanted if release not in here]
    if missing and not all(map(shutil.which, ("mmdebstrap", "patchelf"))):
        print("not tried:", *missing, "(no mmdebstrap, no patchelf)")
        return 0
    return max([_fetched(folder, release) for release in missing], default=0)


def _fetched(folder: Path, release: str) -> int:
    """Take a release from Debian's testing, say what came of it, and return an exit status."""
    tree = folder / release
    tree.mkdir(parents=True)
    # An outdated mirror is good enough here; its files are signed, too.
    late = 'Acquire::Check-Valid-Until "false"'
    packages = f"--include=python{release},python{release}-venv"
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--aptopt={late}", packages]
    done = subprocess.run(
        [*command, "testing", str(tree), MIRROR],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Unable to locate package" in done.stderr:
        print(f"{release}: neither here nor in Debian's testing")
        return 0
    if done.returncode == 0:
        _settle(tree, release)
    if _works(tree / "usr" / "bin" / f"python{release}"):
        print(f"{release}: from Debian's testing")
        return 0
    print(f"{release}: does not work as it comes from Debian's testing\n{done.stderr}")
    return 1


def _settle(tree: Path, release: str) -> None:
    """Make an unpacked interpreter run where it lies, with the C library that it came with."""
    python = tree / "usr" / "bin" / f"python{release}"
    libraries = next(tree.glob("usr/lib/*/libc.so.6")).parent
    loader = next(libraries.glob("ld-linux*"))
    # An RPATH, because that holds for the libraries of extension modules, too.
    found = ["--set-interpreter", str(loader), "--force-rpath", "--set-rpath", str(libraries)]
    subprocess.run(["patchelf", *found, str(python)], check=True)
    for data in tree.glob(f"usr/lib/python{release}/_sysconfigdata*.py"):
        text = data.read_text(encoding="utf-8")
        data.write_text(text.replace(f"'{WHEELS}'", repr(f"{tree}{WHEELS}")), encoding="utf-8")
    for other in set(python.parent.iterdir()) - {python}:
        other.unlink()


if __name__ == "__main__":
    sys.exit(main())
