"""The launcher in C: the constants that it takes from Python, and its compilation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from credproc import answer, cache, system
from credproc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The compilers to look for, unless CC names one.
COMPILERS = ("cc", "gcc", "clang")
#: A static program starts in half the time; not every system can link one.
LINKING: tuple[tuple[str, ...], ...] = (("-static",), ())
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra"]
#: Seconds.
PATIENCE = 60


def compiler(environ: Mapping[str, str]) -> str:
    """Return the path of a C compiler, "" if there is none."""
    names = [environ["CC"]] if environ.get("CC") else COMPILERS
    return next((path for name in names if (path := shutil.which(name))), "")


def source(python: str, options: str, code: str) -> str:
    """Return the program's source; if there is no hit, it runs ``python OPTIONS -c code``."""
    package = str(Path(answer.__file__).with_name("__init__.py"))
    status = os.stat(package)
    home = system.cache_home({"HOME": "/x"})
    head = b"%s %s" % (cache.MAGIC, cache.VERSION)
    constants = {
        "PYTHON": quoted(python),
        "OPTIONS": quoted(options),
        "CODE": quoted(code),
        "PACKAGE": quoted(package),
        "PACKAGE_SIZE": str(status.st_size),
        "PACKAGE_MTIME": f"{status.st_mtime_ns}u",
        "ENTRY_HEAD": quoted(head.decode()),
        "MAX_ENTRY": str(cache.MAX_ENTRY),
        "MAX_PAUSE": f"{cache.MAX_PAUSE}u",
        "LONGEST": str(system.LONGEST),
        "CACHE_BELOW": quoted(home.removeprefix("/x")),
        "BOOT": quoted(system.BOOT),
    }
    lists = {"VARIABLES": answer.VARIABLES, "SECRET": answer.SECRET, "ONCE": answer.ONCE}
    lines = [f"#define {name} {value}" for name, value in constants.items()]
    lines += ["#include <stddef.h>"]
    lines += [f"static const char *const {name}[] = {_array(v)};" for name, v in lists.items()]
    text = Path(answer.__file__).with_name("launcher.c").read_text("utf-8")
    return "\n".join([*lines, '#line 1 "launcher.c"', text])


def compiled(text: str, using: str, options: Iterable[str] = ()) -> bytes:
    """Return the compiled program; RequestError with the first error of the compiler."""
    output = ""
    with tempfile.TemporaryDirectory(prefix="credproc-") as folder:
        file, program = Path(folder, "launcher.c"), Path(folder, "launcher")
        file.write_text(text, "utf-8")
        for linking in LINKING:
            command = [using, *FLAGS, *linking, *options, "-o", str(program), str(file)]
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=PATIENCE,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                output = str(error)
                continue
            if done.returncode == 0:
                return program.read_bytes()
            output = done.stderr.decode("utf-8", "replace")
    why = next(
        (line.strip() for line in output.splitlines() if "error" in line), output.strip()[:200]
    )
    raise RequestError(f"{using} cannot compile the launcher ({why})")


def quoted(text: str) -> str:
    """Return a string literal of C, in which all but plain ASCII is escaped in octal."""
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in os.fsencode(text)
    )
    return f'"{plain}"'


def _array(words: Iterable[str]) -> str:
    return "{" + "".join(f"{quoted(word)}, " for word in words) + "NULL}"


def is_supported(platform: str = sys.platform) -> bool:
    """Whether the launcher in C supports this system."""
    return platform == "darwin" or platform.startswith("linux")
