"""The executable that the profile runs, the cache directory, and the log."""

from __future__ import annotations

import errno
import importlib.util
import os
import subprocess
import time
from typing import TYPE_CHECKING

from credproc import __version__, cache
from credproc.ctl import commandline
from credproc.ctl.cached import cached, foreign
from credproc.ctl.checks import FAIL, OK, WARN, Check
from credproc.ctl.checks.config import path as named
from credproc.ctl.machine import off
from credproc.ctl.mounts import filesystem
from credproc.ctl.output import size
from credproc.errors import CredprocError
from credproc.locks import release
from credproc.log import opened
from credproc.store import LOCK, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credproc.ctl.checks import Case

#: How often it is started: the first start reads from the disk.
STARTS = 3
#: Bytes of free space below which there is a warning.
ROOM = 10 * 1024 * 1024
#: File systems on which locks or renaming differ from a local disk.
REMOTE = ("nfs", "cifs", "smb", "9p", "afs", "fuse.", "lustre", "glusterfs", "ceph", "vboxsf")


def executable(case: Case) -> Iterator[Check]:
    """Check that the program exists, works, has this version and starts quickly."""
    path = named(case)
    try:
        path = path or commandline.executable(None, case.environ)
    except CredprocError as error:
        yield Check(FAIL, "executable", str(error), "reinstall credproc")
        return
    if path.startswith(("~", "$")):
        yield Check(WARN, "executable", f"not checked, because {path} is not expanded")
        return
    if not os.path.isabs(path):
        yield Check(WARN, "executable", f"{path} is not an absolute path: cron, services and "
                    "editors have a different PATH", "write the absolute path")  # fmt: skip
    yield from _started(path, case)


def _started(path: str, case: Case) -> Iterator[Check]:
    times = []
    output = ""
    for _ in range(STARTS):
        begin = time.monotonic()
        try:
            done = case.started([path, "--version"])
        except subprocess.TimeoutExpired:
            late = f"{path} --version ran for more than {case.patience:g} s"
            yield Check(FAIL, "executable", late)
            return
        except OSError as error:
            yield Check(FAIL, "executable", f"{path}: {(error.strerror or '').lower()}",
                        "correct the path in the profile: `command -v credproc` prints it"
                        )  # fmt: skip
            return
        times.append(time.monotonic() - begin)
        output = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode or not output.startswith("credproc "):
            words = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            yield Check(FAIL, "executable", f"{path} --version fails (status {done.returncode}): "
                        f"{words}", "reinstall credproc")  # fmt: skip
            return
    version, fastest = output.removeprefix("credproc "), min(times)
    text = (
        f"{path}, {version}, starts in {fastest * 1000:.0f} ms (--version; a cached run takes less)"
    )
    if version != __version__:
        yield Check(WARN, "executable", f"{text}; this credprocctl is {__version__}",
                    "one of the two is an old installation")  # fmt: skip
    elif fastest > case.slow:
        yield Check(WARN, "executable", text, "the disk may be slow, or the machine busy")
    else:
        yield Check(OK, "executable", text)
    yield from _wrapper(path)
    yield from compiled(os.path.join(os.path.dirname(cache.__file__), "__main__.py"))


def _wrapper(path: str) -> Iterator[Check]:
    """Check for a script that makes each start slower than necessary."""
    try:
        with open(path, "rb") as file:
            script = file.read(2048)
    except OSError:
        return
    if b"\nimport re\n" in script:
        yield Check(WARN, "executable", "its script was written by an old installer, and takes 7 "
                    "ms more at each start", "reinstall credproc with pip 25 or newer, or with uv; "
                    "or use `credprocctl launcher`")  # fmt: skip


def compiled(module: str) -> Iterator[Check]:
    """Check that a module is not compiled at each start."""
    if not os.path.exists(importlib.util.cache_from_source(module)):
        yield Check(WARN, "executable", "its modules are compiled again at each start",
                    f"python -m compileall {os.path.dirname(module)}")  # fmt: skip


def cache_directory(case: Case) -> Iterator[Check]:
    """Check that the directory is private and writable, has free space, and that locks work."""
    store = case.store
    if store is None or not store.path:
        why, advice = off(case.environ)
        yield Check(WARN, "cache", f"is off, so every run fetches: {why}", advice)
        return
    try:
        store.make()
        os.close(store.open())
        names = os.listdir(store.path)
        locks = _lock(store)
    except OSError as error:
        text = str(error) if not error.strerror else f"{store.path}: {error.strerror.lower()}"
        case.store = None
        yield Check(WARN, "cache", f"is off, so every run fetches: {text}",
                    "set CREDPROC_CACHE_DIR to a directory of your own, mode 0700")  # fmt: skip
        return
    text = f"{store.path}, mode 0700, {len(names)} files"
    yield disk(text, filesystem(store.path), os.statvfs(store.path))
    yield (
        Check(OK, "cache lock", "works") if locks else
        Check(WARN, "cache lock", "does not work here, so runs that start together each fetch",
              "set CREDPROC_CACHE_DIR to a local directory")
    )  # fmt: skip
    yield from _contents(store)


def disk(text: str, kind: str, space: os.statvfs_result) -> Check:
    """Check the disk that the cache is on: its kind of file system, its free space and inodes."""
    room = space.f_bavail * space.f_frsize
    text = f"{text}, on {kind} with {size(room)} free"
    if room < ROOM or (space.f_files and not space.f_favail):
        return Check(WARN, "cache", text, "free some space: every run fetches what cannot be "
                     "cached")  # fmt: skip
    if kind.startswith(REMOTE):
        return Check(WARN, "cache", f"{text}: other machines, and their clocks, share it",
                     "set CREDPROC_CACHE_DIR to a local directory")  # fmt: skip
    return Check(OK, "cache", text)


def _lock(store: Store) -> bool:
    """Whether a lock that is taken cannot be taken again."""
    name = cache.fingerprint(b"doctor") + LOCK
    first = second = None
    try:
        first = store.take(name)
        if first is None:
            return True  # another doctor has it
        second = store.take(name)
        store.remove(name)
        return second is None
    finally:
        release(first)
        release(second)


def _contents(store: Store) -> Iterator[Check]:
    broken = [item for item in cached(store) if item.entry is None]
    if broken:
        yield Check(WARN, "cache", f"{len(broken)} entries cannot be read ({broken[0].name}: "
                    f"{broken[0].trouble})", "`credprocctl cache prune`")  # fmt: skip
    others = foreign(store)
    if others:
        yield Check(WARN, "cache", f"{len(others)} files are not credproc's ({others[0]})",
                    "credproc ignores them")  # fmt: skip


def log(case: Case) -> Iterator[Check]:
    """Check that CREDPROC_LOG can be written; if so, warn, because it slows every run down."""
    path = case.environ.get("CREDPROC_LOG")
    if not path:
        return
    text = f"CREDPROC_LOG={path}"
    try:
        os.close(opened(path))
    except (OSError, ValueError) as error:
        yield Check(FAIL, "log", f"{text}: nothing is written there: {_why(path, error)}",
                    "set it to the absolute path of a regular file of yours, or unset "
                    "it")  # fmt: skip
        return
    yield Check(WARN, "log", f"{text}: logging slows down every run by about 40 ms",
                "unset it when you no longer need it")  # fmt: skip


def _why(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "it is a symbolic link, which is not followed"
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return f"the directory {os.path.dirname(path)} does not exist"
    return str(getattr(error, "strerror", None) or "").lower() or f"it {error}"
