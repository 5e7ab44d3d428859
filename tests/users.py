"""Other users and other file systems, as far as the kernel lets a test have them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests import needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from tests.harness import Host

#: A user with an entry in passwd, and one without.
NOBODY, UNKNOWN = 65534, 54321

#: The interpreter may lie where no other user can look, and this lets one look, not write.
READ_ALL = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def as_user(uid: int, *, reads_all: bool = False) -> list[str]:
    """Return what to put before a command that another user runs; with no rights beyond theirs.

    ``reads_all``: except that they may read everything, as an interpreter of root's needs it.
    """
    prefix = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    prefix += READ_ALL if reads_all else ()
    needs.demand("users")
    return prefix


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """Yield a folder of this user's that others can look into, unlike a test's own."""
    folder = Path(tempfile.mkdtemp(prefix="credproc-public-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


class Mount:
    """A small file system of its own on a folder, in a namespace that ends with the test.

    ``enter`` is what to put before a command that sees it.
    """

    def __init__(self, host: Host, folder: Path, options: str) -> None:
        needs.demand("namespaces", "mount", "nsenter")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        script = 'mount -t tmpfs -o "$1" none "$2" && echo mounted && read -r _'
        gate, self._release = os.pipe()
        process = host.start(
            "--mount", "sh", "-c", script, "sh", options, str(folder), command="unshare", stdin=gate
        )
        os.close(gate)
        assert process.popen.stdout is not None
        assert process.popen.stdout.readline() == b"mounted\n"
        self.enter = ["nsenter", f"--target={process.pid}", "--mount", "--"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._release)

    def shell(self, script: str) -> str:
        """Run a shell command in the folder; return what it printed."""
        command = [*self.enter, "sh", "-c", f"cd {self.folder} && {script}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done
        return done.stdout
