"""--verbose and CREDPROC_LOG log every step, and never a secret."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

import pytest

from tests import cachedir
from tests.harness import CREDPROC, SCRIPTS, herd
from tests.servers.sts_errors import error
from tests.users import NOBODY, UNKNOWN, as_user

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

A = "arn:aws:iam::111122223333:role/a"
CHAIN = ["--role-arn", A, "--external-id", "geheim42", "--source", "imds"]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ credproc\[(\d+)\]: (.+)")


@pytest.fixture
def log(online: Host) -> Path:
    """The file that every run of the host is to write to."""
    path = online.folder / "log"
    online.environ["CREDPROC_LOG"] = str(path)
    return path


def lines(log: Path) -> list[tuple[int, str]]:
    """Return the lines of the file: process and text; AssertionError if one is torn."""
    found = []
    for line in log.read_text("utf-8").splitlines():
        match = STAMP.fullmatch(line)
        assert match, line
        found.append((int(match[1]), match[2]))
    return found


def lines_of(log: Path) -> list[str]:
    """Return what the lines of the file say."""
    return [text for _, text in lines(log)]


def has(texts: Iterable[str], pattern: str) -> bool:
    """Whether one of the lines matches."""
    return any(re.search(pattern, text) for text in texts)


def test_verbose_logs_to_stderr_and_prints_the_same_document(
    online: Host, imds: ImdsServer, sts: StsServer
) -> None:
    result = online.run(*CHAIN, "-v")
    said = result.stderr.splitlines()

    assert result.status == 0
    assert result.stdout == online.run(*CHAIN).stdout
    assert all(line.startswith("credproc: ") for line in said)
    assert has(said, rf"cache: not cached \({online.cache}\)")
    assert has(said, rf"role 1 of 1: {A}: access key \.\.\.{sts.issued[0].access_key[-4:]} from ")
    assert has(said, r"^credproc: \d+ ms: credproc \d\S*, Python \d\S*, no profile$")
    assert has(said, r"sts: STS in eu-\S+: 200 in \d+ ms")
    assert has(said, r"imds: PUT /latest/api/token: 200 in \d+ ms")
    assert not has(said, r"<\w+|\[Errno|\w+\(.*=.*\)|\bNone\b")
    spent = [int(match[1]) for line in said if (match := re.match(r"credproc: (\d+) ms: ", line))]
    assert len(spent) == len(said)
    assert spent == sorted(spent)
    assert has(said, r"valid until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    for secret in (*imds.secrets, *sts.secrets, "geheim42", sts.issued[0].access_key):
        assert secret not in result.stderr


def test_file_gets_the_same_log(online: Host, log: Path) -> None:
    result = online.run(*CHAIN, "-v")

    assert lines_of(log) == [line.removeprefix("credproc: ") for line in result.stderr.splitlines()]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_only_the_file_gets_the_log_without_verbose(
    online: Host, log: Path, imds: ImdsServer, sts: StsServer
) -> None:
    document = online.document(*CHAIN)
    first = lines_of(log)
    assert online.document(*CHAIN) == document

    assert has(first, "cache: not cached")
    assert has(lines_of(log)[len(first) :], r"cache: fresh \(")
    whole = log.read_text("utf-8")
    assert not any(secret in whole for secret in (*imds.secrets, *sts.secrets, "geheim42"))


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["--profile", "missing"], 2),
        (["--format", "xml"], 2),
        (["--imds", "other"], 1),
        (["--role-arn", A, "--source", "env"], 1),
    ],
)
def test_line_of_a_failed_run_is_in_the_file(
    online: Host, log: Path, argv: list[str], status: int
) -> None:
    result = online.run(*argv)

    assert result.status == status
    assert f"credproc: {lines_of(log)[-1]}\n" == result.stderr


@pytest.mark.parametrize("kind", ["AccessDenied", "Throttling"])
def test_stale_credentials_are_served_with_the_reason(
    online: Host, log: Path, sts: StsServer, kind: str
) -> None:
    document = online.document(*CHAIN)
    cachedir.leave(online.cache, 600)
    sts.fail(error(kind))
    served = online.document(*CHAIN)

    assert served["AccessKeyId"] == document["AccessKeyId"]
    assert has(lines_of(log), f"{kind}.*: using the cached credentials, which are still valid")


def test_profile_is_named(online: Host, log: Path) -> None:
    online.config("[profile dev]\ncredential_process = /bin/false\n")
    online.run("--profile", "dev", AWS_PROFILE="dev")
    assert has(lines_of(log), r"Python \S+, profile dev, AWS_PROFILE=dev$")
    assert has(lines_of(log), r"profile dev: false ran for \d+ ms")


def test_error_of_the_system_has_no_number(online: Host, log: Path) -> None:
    online.cache.mkdir(parents=True, mode=0o700)
    online.cache.chmod(0o777)
    online.document("--imds", XDG_CACHE_HOME="/dev/null")
    assert has(lines_of(log), r"cache: .*Not a directory")
    assert not has(lines_of(log), r"\[Errno")


def test_library_that_does_not_load_is_not_an_internal_error(online: Host) -> None:
    folder = online.folder / "libraries"
    folder.mkdir()
    for name in ("libcrypto.so.3", "libssl.so.3", "libcrypto.so.1.1", "libssl.so.1.1"):
        (folder / name).touch()
    words = ("--role-arn", A, "--source", "env", "--no-cache", "--timeout", "5")
    variables: dict[str, Any] = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "k" * 40,
        "AWS_CA_BUNDLE": "/none",  # which is for botocore to load
        "LD_LIBRARY_PATH": str(folder),
    }
    python = CREDPROC.parent / "python"
    # A Python with libraries of its own inside is not disturbed.
    loads = online.run("-c", "import ssl", command=python, **variables).status == 0
    said = online.run(*words, **variables).stderr

    assert "internal error in" not in said
    assert loads != ("Python cannot load a module that credproc needs (" in said), said
    assert loads != ("LD_LIBRARY_PATH may make Python load the wrong libraries" in said)


def test_refresh_in_the_background_logs_to_the_file(online: Host, log: Path) -> None:
    online.document(*CHAIN)
    cachedir.leave(online.cache, 1500)
    process = online.start(*CHAIN)
    assert process.wait().status == 0
    online.settle()

    others = [text for pid, text in lines(log) if pid != process.pid]
    mine = [text for pid, text in lines(log) if pid == process.pid]
    assert has(mine, "cache: fresh, to be refreshed in the background")
    assert has(others, f"role 1 of 1: {A}: access key ")


def test_lines_of_many_runs_stay_whole(online: Host, log: Path) -> None:
    results = herd(online, 20, "--imds")

    assert {result.status for result in results} == {0}
    assert {result.stderr for result in results} == {""}
    assert len({pid for pid, _ in lines(log)}) == 20


@pytest.mark.parametrize(
    "name",
    ["log", "~/log", "/proc/nowhere/log", "/dev/full", "/dev/stdout", "fifo", "folder", "link"],
)
def test_log_file_that_cannot_be_created_is_not_fatal(online: Host, name: str) -> None:
    os.mkfifo(online.folder / "fifo")
    (online.folder / "folder").mkdir()
    (online.folder / "link").symlink_to(online.folder / "target")
    path = str(online.folder / name) if name in ("fifo", "folder", "link") else name
    result = online.run("--imds", CREDPROC_LOG=path)

    assert result.document["Version"] == 1
    assert not (online.folder / "target").exists()
    assert not (online.home / "log").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("log", "must be an absolute path"),
        ('"/tmp/log"', 'must be an absolute path (quotes are part of the value: "/tmp/log")'),
        ("/proc/nowhere/log", "cannot be written: No such file or directory"),
        ("/dev/full", "is not a regular file of this user"),
    ],
)
@pytest.mark.parametrize("argv", [["--imds", "other"], ["--imds", "other", "-v"], ["stray"]])
def test_run_that_failed_says_why_its_log_has_nothing(
    online: Host, name: str, reason: str, argv: list[str]
) -> None:
    result = online.run(*argv, CREDPROC_LOG=name)

    assert result.status != 0
    assert result.stderr.endswith(f" (CREDPROC_LOG: {reason})\n")
    assert "-v" in argv or result.stderr.count("\n") == 1


UNUSABLE = {
    "relative": ("cache", "must be an absolute path"),
    "quoted": ('"{}/c"', 'must be an absolute path (quotes are part of the value: "{}/c")'),
    "tilde": ("~/cache", "must be an absolute path (~ is not expanded here)"),
    "file": ("{}/file", "{}/file is a file, not a directory"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_cache_directory_that_cannot_be_used_is_never_silent(online: Host, kind: str) -> None:
    value, reason = (text.format(online.folder) for text in UNUSABLE[kind])
    (online.folder / "file").touch()
    online.environ["CREDPROC_CACHE_DIR"] = value

    assert online.document("--imds")  # which is silent
    failed = online.run("--imds", "other")
    verbose = online.run("--imds", "-v")
    doctor = online.run("doctor", "--", "--imds", command=SCRIPTS / "credprocctl")

    assert failed.stderr.count("\n") == 1
    assert f" (CREDPROC_CACHE_DIR: {reason}" in failed.stderr
    named = "" if reason.startswith(value) else f"{value}: "
    assert f"cache: off: {named}{reason}\n" in verbose.stderr
    shown = " ".join(doctor.stdout.decode().split())
    assert "warn cache is off, so every run fetches: " in shown
    assert reason.removeprefix("must be an absolute path") in shown


#: HOME, CREDPROC_CACHE_DIR, options, why the cache is off, and what the error line calls that.
MISSING: dict[str, tuple[str | None, str | None, tuple[str, ...], str, str]] = {
    "no home": (None, None, (), "there is no home directory", ""),
    "relative home": ("home", None, (), "HOME=home is not an absolute path", ""),
    "default": ("{}/x", None, (), "the home directory {}/x does not exist", ""),
    "variable": (
        *("{}/x", "{}/x/y", (), "the home directory {}/x does not exist"),
        "CREDPROC_CACHE_DIR",
    ),
    "option": (
        *("{}/x", None, ("--cache-dir", "{}/x/y"), "the home directory {}/x does not exist"),
        "--cache-dir",
    ),
}


@pytest.mark.parametrize("kind", MISSING)
def test_error_line_names_an_unused_cache_directory_only_if_it_was_chosen(
    online: Host, kind: str
) -> None:
    home, chosen, options, reason, name = MISSING[kind]
    folder = online.folder
    # A relative HOME may be replaced by that of passwd.
    user = [] if name or kind == "default" else as_user(UNKNOWN, reads_all=True)
    online.environ |= {
        "HOME": home and home.format(folder),
        "CREDPROC_CACHE_DIR": chosen and chosen.format(folder),
    }
    words = [*user, str(CREDPROC), "--imds", "other", *(each.format(folder) for each in options)]

    failed = online.run(*words[1:], "-v", command=words[0])

    *logged, last = failed.stderr.splitlines()
    assert failed.status == 1
    assert any(line.endswith(f"cache: off, because {reason.format(folder)}") for line in logged)
    assert last.endswith(f" ({name}: {reason.format(folder)})") == bool(name)
    assert ("CACHE_DIR" in last or "--cache-dir" in last) == bool(name)


def test_both_that_cannot_be_used_are_on_one_line(online: Host) -> None:
    failed = online.run("--imds", "other", CREDPROC_LOG="log", CREDPROC_CACHE_DIR="cache")

    assert failed.stderr.endswith(
        " (CREDPROC_LOG: must be an absolute path; CREDPROC_CACHE_DIR: must be an absolute path)\n"
    )


def test_cache_directory_that_is_not_writable_is_named(online: Host) -> None:
    user = as_user(NOBODY, reads_all=True)
    folder = online.folder / "cache"
    folder.mkdir(mode=0o500)
    os.chown(folder, NOBODY, NOBODY)
    online.environ["CREDPROC_CACHE_DIR"] = str(folder)
    script = [*user[1:], str(CREDPROC), "--imds"]

    assert online.run(*script, command=user[0]).document
    failed = online.run(*script, "other", command=user[0])

    assert failed.stderr.endswith(f" (CREDPROC_CACHE_DIR: {folder} is not writable)\n")


def test_root_creates_no_file_in_a_directory_of_another_user(online: Host) -> None:
    user = as_user(NOBODY, reads_all=True)
    os.chown(online.home, NOBODY, NOBODY)
    log = online.home / "log"
    reason = (
        f"is not created, because its directory belongs to another user (uid {NOBODY}): run this "
        "as that user, or choose a file in a directory owned by root"
    )

    assert online.document("--imds", CREDPROC_LOG=str(log))
    verbose = online.run("--imds", "-v", CREDPROC_LOG=str(log))
    failed = online.run("--imds", "other", CREDPROC_LOG=str(log))

    assert f"credproc: CREDPROC_LOG: {log}: {reason}\n" in verbose.stderr
    assert failed.stderr.endswith(f" (CREDPROC_LOG: {reason})\n")
    assert list(online.home.iterdir()) == []

    script = [*user[1:], str(CREDPROC), "--imds"]
    assert online.run(*script, command=user[0], CREDPROC_LOG=str(log)).document
    assert log.stat().st_uid == NOBODY
    before = lines_of(log)
    assert online.document("--imds", CREDPROC_LOG=str(log))
    assert lines_of(log) == before  # a file of another user is not written to, either


def test_existing_log_of_root_is_appended_to_wherever_it_is(online: Host) -> None:
    as_user(NOBODY)
    log = online.home / "log"
    log.touch(mode=0o600)
    os.chown(online.home, NOBODY, NOBODY)

    assert online.document("--imds", CREDPROC_LOG=str(log))
    assert has(lines_of(log), "cache: ")


def test_user_may_log_in_a_folder_that_another_shares(online: Host) -> None:
    user = as_user(NOBODY, reads_all=True)
    folder = online.folder / "shared"
    folder.mkdir()
    os.chown(folder, UNKNOWN, NOBODY)
    folder.chmod(0o770)
    log = folder / "log"

    script = [*user[1:], str(CREDPROC), "--imds"]
    assert online.run(*script, command=user[0], CREDPROC_LOG=str(log)).document
    assert log.stat().st_uid == NOBODY


@pytest.mark.parametrize("argv", [[], ["--role-arn", A, "--source", "env"]])
def test_verbose_shows_no_traceback_of_an_expected_error(online: Host, argv: list[str]) -> None:
    result = online.run(*argv, "-v", AWS_EC2_METADATA_DISABLED="true")

    assert result.status == 1
    assert "File " not in result.stderr
    assert len(result.stderr.splitlines()) < 8


def test_help_and_usage_errors_need_no_file(online: Host, log: Path) -> None:
    assert online.run("--help").status == online.run("--version").status == 0

    assert not log.exists()
