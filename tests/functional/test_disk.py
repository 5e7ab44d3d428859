"""Whatever a disk, a mount, HOME or the working directory is like, the credentials are printed, and
-v and CREDPROC_LOG say why they are not cached.

Set CREDPROC_TEST_FULL for a fault at every system call that only looks, too.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.harness import CREDPROC
from tests.tracing import Tracer
from tests.users import NOBODY, UNKNOWN, Mount, as_user, public_folder

if TYPE_CHECKING:
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.tracing import Step

FULL = bool(os.environ.get("CREDPROC_TEST_FULL"))

#: What the calls that change something may answer. All others answer EIO.
ERRORS = {
    "mkdir": ("ENOSPC", "EDQUOT", "EROFS"),
    "openat": ("ENOSPC", "EDQUOT", "EROFS", "EMFILE"),
    "flock": ("ENOSYS", "ENOLCK", "EOPNOTSUPP"),
    "write": ("ENOSPC", "EDQUOT", "EIO"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT"),
    "renameat": ("ENOSPC", "EDQUOT", "EIO"),
}
#: And what a log says of them.
WORDS = {
    "ENOSPC": "No space left on device",
    "EDQUOT": "Disk quota exceeded",
    "EROFS": "Read-only file system",
    "EMFILE": "Too many open files",
    "ENOSYS": "Function not implemented",
    "ENOLCK": "No locks available",
    "EOPNOTSUPP": "Operation not supported",
    "EIO": "Input/output error",
}


@pytest.fixture(autouse=True)
def instance(host: Host, imds: ImdsServer) -> None:
    """Make every host here the instance, with a log."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["CREDPROC_LOG"] = str(log_of(host))


def log_of(host: Host) -> Path:
    return host.folder / "log"


def log(host: Host) -> str:
    """Return what was logged since the last time."""
    text = log_of(host).read_text()
    log_of(host).unlink()
    return text


def faults(step: Step) -> tuple[str, ...]:
    if step.name == "openat" and "O_CREAT" not in step.line:
        return ("EIO",)
    return ERRORS.get(step.name, ("EIO",))


def choose(steps: list[Step]) -> list[Step]:
    """Choose what changes the disk, and of what only looks at it or closes it every fourth."""
    rest = 0
    chosen = []
    for step in steps:
        rest += faults(step) == ("EIO",)
        if FULL or faults(step) != ("EIO",) or rest % 4 == 0:
            chosen.append(step)
    return chosen


@pytest.mark.slow
def test_failure_of_any_system_call_does_not_cost_the_credentials(
    host: Host, imds: ImdsServer
) -> None:
    tracer = Tracer(host, host.home / ".cache")
    steps = set()
    tries = 0

    def nothing() -> None:
        cachedir.clear(host.home / ".cache")
        log_of(host).unlink(missing_ok=True)

    for step, result in tracer.fail_at_each(nothing, faults, str(CREDPROC), choose=choose):
        steps.add(step.name)
        tries += 1
        logged = log(host)
        assert result.document["AccessKeyId"] == imds.current["AccessKeyId"], (step, result, logged)
        error = next((name for name in WORDS if f"-1 {name} " in tracer.file.read_text()), "")
        is_vital = not any(name in step.line for name in ("sweep.lock", "cleared.lock"))
        if faults(step) != ("EIO",) and is_vital:
            assert WORDS[error] in logged, (step, logged)
        cachedir.entries(host.cache)
        assert cachedir.names(host.cache, ".tmp") == [], step
    assert steps >= set(ERRORS)
    print(f"{tries} faults")


def test_full_disk_is_reported_and_nothing_more_is_written(host: Host, imds: ImdsServer) -> None:
    with Mount(host, host.home / ".cache", "size=64k,mode=0700") as disk:

        def run(*args: str) -> str:
            result = host.run(*disk.enter[1:], str(CREDPROC), *args, command=disk.enter[0])
            assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]
            return log(host)

        assert "No space" not in run()
        assert "cache: fresh" in run()
        imds.turn()
        disk.shell("cat /dev/zero >filler 2>/dev/null || true")

        assert re.search("cache: not written: .*No space left on device", run("--refresh"))
        assert imds.count("creds") == 2
        assert disk.shell("ls credproc | grep -c tmp || true") == "0\n"

        disk.shell("rm filler")
        assert "not written" not in run("--refresh")
        run()
        assert imds.count("creds") == 3


@pytest.mark.parametrize(
    ("inodes", "problem"),
    [
        (1, "cache: off: .*No space left on device"),  # for the directory
        (2, "cache: no lock: .*No space left on device"),
        (3, "cache: (not written|no lock): .*No space left on device"),
    ],
)
def test_no_file_can_be_created(host: Host, imds: ImdsServer, inodes: int, problem: str) -> None:
    with Mount(host, host.home / ".cache", f"nr_inodes={inodes},mode=0700") as disk:
        for calls in (1, 2):
            result = host.run(*disk.enter[1:], str(CREDPROC), command=disk.enter[0])

            assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]
            assert imds.count("creds") == calls
            assert re.search(problem, log(host))


def test_read_only_mount_is_read(host: Host, imds: ImdsServer) -> None:
    with Mount(host, host.home / ".cache", "size=64k,mode=0700") as disk:

        def run(*args: str) -> str:
            result = host.run(*disk.enter[1:], str(CREDPROC), *args, command=disk.enter[0])
            assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]
            return log(host)

        disk.shell("mount -o remount,ro .")
        assert re.search("cache: off: .*Read-only file system", run())
        disk.shell("mount -o remount,rw .")
        run()
        disk.shell("mount -o remount,ro .")

        assert "cache: fresh" in run()
        assert imds.count("creds") == 2
        assert re.search("cache: not written: .*Read-only file system", run("--refresh"))
        assert "cache: fresh" in run()
        assert imds.count("creds") == 3


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (".cache", "Not a directory"),
        (".cache/credproc", "is a file, not a directory"),
    ],
)
def test_file_where_a_directory_should_be_stays(
    host: Host, imds: ImdsServer, made: str, problem: str
) -> None:
    path = host.home / made
    path.parent.mkdir(exist_ok=True)
    path.write_text("kept")

    for _ in range(2):
        assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"]
        assert problem in log(host)
    assert path.read_text() == "kept"


@pytest.mark.parametrize("missing", [".cache", ".cache/credproc", "nothing"])
def test_directory_of_another_user_is_not_changed(
    host: Host, imds: ImdsServer, missing: str
) -> None:
    user = as_user(NOBODY, reads_all=True)
    log_of(host).touch(mode=0o600)
    os.chown(log_of(host), NOBODY, NOBODY)
    if missing != ".cache":
        (host.home / ".cache").mkdir(mode=0o755)
    if missing == "nothing":
        host.cache.mkdir(mode=0o700)

    for _ in range(2):
        result = host.run(*user[1:], str(CREDPROC), command=user[0])
        assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]
    problem = "belongs to another user (uid 0)" if missing == "nothing" else "Permission denied"
    assert problem in log(host)
    assert not cachedir.names(host.cache, "")


def test_root_with_the_home_of_another_user_changes_nothing_there(
    host: Host, imds: ImdsServer
) -> None:
    as_user(NOBODY)
    os.chown(host.home, NOBODY, NOBODY)

    assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"]
    assert f"{host.home} belongs to another user (uid {NOBODY})" in log(host)
    assert list(host.home.iterdir()) == []

    host.cache.mkdir(parents=True, mode=0o700)
    os.chown(host.cache, NOBODY, NOBODY)
    assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"]
    assert f"{host.cache} belongs to another user (uid {NOBODY})" in log(host)
    assert cachedir.names(host.cache, "") == []


def test_directory_that_was_only_named_is_not_changed(host: Host, imds: ImdsServer) -> None:
    folder = host.folder / "empty"
    folder.mkdir(mode=0o755)

    result = host.run("--cache-dir", str(folder), "-v")
    assert result.status == 0
    assert f"{folder} has mode 0755 and must be private: use a directory with mode 0700" in (
        result.stderr
    )
    assert folder.stat().st_mode & 0o777 == 0o755
    assert os.listdir(folder) == []


def test_cache_that_systemd_opens_to_others_becomes_private_again(
    host: Host, imds: ImdsServer
) -> None:
    folder = host.folder / "var-cache"
    folder.mkdir(mode=0o700)
    host.environ["CREDPROC_CACHE_DIR"] = str(folder)

    host.document()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)  # as systemd does at every start of the unit
    host.document()
    host.document()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert imds.count("creds") == 1


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_directory_that_holds_other_things_keeps_its_mode(host: Host, mode: int) -> None:
    folder = host.folder / "shared"
    folder.mkdir()
    (folder / "notes").touch()
    folder.chmod(mode)

    host.document(CREDPROC_CACHE_DIR=str(folder))

    logged = log(host)
    assert f"has mode {mode:04o} and must be private: use a directory with mode 0700 that" in logged
    assert "chmod" not in logged
    assert "CacheDirectoryMode=0700" in logged
    assert folder.stat().st_mode & 0o777 == mode
    assert os.listdir(folder) == ["notes"]


#: HOME and XDG_CACHE_HOME (None: not set), who asks, and the one folder in which something is made.
HOMES: dict[str, tuple[dict[str, str | None], int | None, str]] = {
    "unset, without a passwd entry": ({"HOME": None}, UNKNOWN, ""),
    "unset, a home that is not there": ({"HOME": None}, NOBODY, ""),
    "empty": ({"HOME": ""}, NOBODY, ""),
    "empty, without a passwd entry": ({"HOME": ""}, UNKNOWN, ""),
    "relative": ({"HOME": "somewhere"}, NOBODY, ""),
    "relative, without a passwd entry": ({"HOME": "somewhere"}, UNKNOWN, ""),
    "dot": ({"HOME": "."}, NOBODY, ""),
    "root's folder": ({"HOME": "/"}, NOBODY, ""),
    "a device": ({"HOME": "/dev/null"}, None, ""),
    "not there": ({"HOME": "/proc/nowhere/home"}, NOBODY, ""),
    "not there, for root": ({"HOME": "{folder}/nowhere"}, None, ""),
    "not there, with the cache in it": (
        {"HOME": "{folder}/nowhere", "CREDPROC_CACHE_DIR": "{folder}/nowhere/cache"},
        None,
        "",
    ),
    "the cache where nothing is": ({"CREDPROC_CACHE_DIR": "{folder}/not/mounted/cache"}, None, ""),
    "the cache relative": ({"XDG_CACHE_HOME": "caches"}, None, "home/.cache"),
    "the cache empty": ({"XDG_CACHE_HOME": ""}, None, "home/.cache"),
    "the cache elsewhere": ({"XDG_CACHE_HOME": "{folder}/xdg"}, None, "xdg"),
    "the option /": ({"CREDPROC_CACHE_DIR": "/"}, NOBODY, ""),
    "a slash at the end": ({"CREDPROC_CACHE_DIR": "{folder}/own/"}, None, "own"),
}


@pytest.mark.parametrize("name", HOMES)
def test_nothing_is_created_in_a_directory_that_is_not_the_users(
    host: Host, imds: ImdsServer, name: str
) -> None:
    variables, uid, allowed = HOMES[name]
    environ = {k: v and v.format(folder=host.folder) for k, v in variables.items()}
    user = [] if uid is None else as_user(uid, reads_all=True)
    log_of(host).touch(mode=0o600)
    if uid is not None:
        os.chown(log_of(host), uid, uid)
    tracer = Tracer(host, Path("/"))
    before = sorted(host.home.iterdir())

    result = tracer.run(*user, str(CREDPROC), env=environ)

    assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]
    made = {path for path in map(created, tracer.steps()) if path and "/__pycache__/" not in path}
    inside = {path for path in made if allowed and path.startswith(str(host.folder / allowed))}
    assert made == inside
    assert bool(allowed) == bool(made)
    if not allowed:
        assert re.search("cache: (off|no lock)", log(host))
        assert sorted(host.home.iterdir()) == before


def created(step: Step) -> str:
    """Return the path that the call created, "" if it created none."""
    line = step.line.replace("@", "/")
    if step.name in ("mkdir", "mkdirat") or (step.name == "openat" and "O_CREAT" in line):
        match = re.match(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"([^"]*)".* = (-?\d+)', line)
        assert match, step
        if int(match[3]) >= 0:
            return os.path.normpath(os.path.join(match[1] or "relative", match[2]))
    return ""


def test_sudo_that_keeps_home_creates_nothing_there(host: Host, imds: ImdsServer) -> None:
    user = as_user(NOBODY, reads_all=True)
    with public_folder() as folder:
        home = folder / "home"
        home.mkdir(mode=0o700)
        os.chown(home, NOBODY, NOBODY)
        log_of(host).touch()
        os.chown(log_of(host), NOBODY, NOBODY)
        host.run(*user[1:], str(CREDPROC), command=user[0], HOME=str(home))
        kept = sorted((home / ".cache" / "credproc").iterdir())
        assert kept

        log_of(host).unlink()
        for _ in range(2):
            host.document("--refresh", HOME=str(home))

        assert sorted((home / ".cache" / "credproc").iterdir()) == kept
        assert all(path.stat().st_uid == NOBODY for path in kept)
        assert f"belongs to another user (uid {NOBODY})" in log(host)


@pytest.mark.parametrize("where", ["deleted", "unreadable"])
def test_working_directory_does_not_matter(host: Host, imds: ImdsServer, where: str) -> None:
    gone = host.folder / "gone"
    gone.mkdir()
    change = "rmdir" if where == "deleted" else "chmod 000"
    user = as_user(NOBODY, reads_all=False) if where == "unreadable" else []
    script = f'cd "$1" && {change} "$1" && shift && exec "$@"'
    if user:
        with public_folder() as folder:
            (folder / "here").mkdir()
            done = host.run("-c", script, "sh", str(folder / "here"), *user, "ls", command="sh")
            assert done.status != 0
    reader = as_user(NOBODY, reads_all=True) if where == "unreadable" else []
    log_of(host).touch()
    if reader:
        os.chown(log_of(host), NOBODY, NOBODY)
        os.chown(host.home, NOBODY, NOBODY)

    for _ in range(2):
        gone.mkdir(exist_ok=True)
        gone.chmod(0o755)
        result = host.run("-c", script, "sh", str(gone), *reader, str(CREDPROC), command="sh")
        assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]
    assert imds.count("creds") == 1
