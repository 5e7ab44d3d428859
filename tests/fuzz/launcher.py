"""Fuzzes the launcher in C, with sanitizers: python -m tests.fuzz.launcher [SECONDS]."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from credproc.ctl import native
from tests import native as worlds

OPTIONS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def main() -> int:
    """Compile, and run for so many seconds; the status is that of the fuzzer."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    text = native.source("/bin/false", "", "").replace("int main(", "int launcher_main(")
    text += "\n" + Path(__file__).with_suffix(".c").read_text("utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = worlds.World(folder, folder / "none")
        program = folder / "fuzz"
        program.write_bytes(native.compiled(text, native.compiler(os.environ), OPTIONS))
        program.chmod(0o700)
        command = [str(program), str(world.path), seconds, str(int(time.time()))]
        return subprocess.run(command, env=world.environ, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
