"""The log: what goes where, and a log file that cannot cost the credentials."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from credproc.errors import ProviderFailed
from credproc.log import Log, say
from tests.runs import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = 1_800_000_000.0


def log_at(path: Path | str, *, verbose: bool = False) -> Log:
    """Return a log with a file, that knows a secret."""
    log = Log(str(path), Clock(NOW), itertools.count(10, 0.025).__next__)
    log.verbose = verbose
    log.secrets.append(SECRET)
    return log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of the log is to be."""
    return tmp_path / "log"


@pytest.mark.parametrize(
    ("verbose", "wanted", "heard"),
    [(False, False, ""), (True, False, "err"), (False, True, "file"), (True, True, "err file")],
)
def test_line_goes_to_stderr_and_to_the_file_as_requested(
    path: Path, capfd: pytest.CaptureFixture[str], verbose: bool, wanted: bool, heard: str
) -> None:
    log = log_at(path if wanted else "", verbose=verbose)
    log("cache: fresh")

    assert capfd.readouterr() == ("", "credproc: 25 ms: cache: fresh\n" if "err" in heard else "")
    assert path.exists() == ("file" in heard)
    if path.exists():
        line = f"2027-01-15T08:00:00Z credproc[{os.getpid()}]: 25 ms: cache: fresh\n"
        assert path.read_text("ascii") == line


def test_line_holds_no_secret_and_no_escape(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = log_at(path, verbose=True)
    log(f"a \x1b[31m{SECRET}\x07\r\nb \ud800 \u20ac")

    printed = capfd.readouterr().err
    assert re.fullmatch(r"credproc: 25 ms: a ?\[31m\[secret\] ?b \? \u20ac\n", printed)
    assert path.read_text("utf-8").endswith(printed.removeprefix("credproc: "))


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_file_is_private_from_its_first_byte(
    path: Path, mask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    write = os.write

    def seen(descriptor: int, data: bytes) -> int:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", seen)
    before = os.umask(mask)
    try:
        log_at(path)("first")
        log_at(path)("second")
    finally:
        os.umask(before)

    assert modes == [0o600, 0o600]


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o640, 0o700, 0o200])
def test_file_that_is_there_becomes_private(path: Path, mode: int) -> None:
    path.write_text("earlier\n", "ascii")
    path.chmod(mode)
    log_at(path)("later")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text("ascii").splitlines()[0] == "earlier"
    assert len(path.read_text("ascii").splitlines()) == 2


def linked(path: Path) -> None:
    """Make a symbolic link to a file of one's own."""
    path.with_name("target").write_text("", "ascii")
    path.symlink_to("target")


UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory": (lambda path: path.mkdir(), "cannot be written: Is a directory"),
    "fifo": (os.mkfifo, "cannot be written: No such device or address"),
    "link": (linked, "cannot be written: Too many levels of symbolic links"),
    "dangling": (
        lambda path: path.symlink_to("nowhere"),
        "cannot be written: Too many levels of symbolic links",
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_file_that_is_unfit_is_left_alone(
    path: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    make, reason = UNFIT[kind]
    make(path)
    before = path.lstat()
    log = log_at(path, verbose=True)
    log("one")
    log("two")

    assert capfd.readouterr().err.splitlines() == [
        "credproc: 25 ms: one",
        f"credproc: CREDPROC_LOG: {path}: {reason}",
        "credproc: 50 ms: two",
    ]
    after = path.lstat()
    assert (after.st_mode, after.st_size) == (before.st_mode, before.st_size)
    assert not path.with_name("nowhere").exists()
    if kind == "link":
        assert path.read_text("ascii") == ""


NULL = "/tmp/a\0b"


def reason_of(name: str) -> str:
    """Return what Python says of a name that no file can have; newer releases say more."""
    with pytest.raises(ValueError, match="embedded null") as raised:
        os.open(name, os.O_RDONLY)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("log", "must be an absolute path"),
        ("~/log", "must be an absolute path (~ is not expanded here)"),
        ("$HOME/log", "must be an absolute path (variables are not expanded here)"),
        ("'/log'", "must be an absolute path (quotes are part of the value: '/log')"),
        ("/proc/nowhere/log", "cannot be written: No such file or directory"),
        ("/dev/null", "is not a regular file of this user"),
        ("/dev/full", "is not a regular file of this user"),
        ("/dev/stdout", "cannot be written: Too many levels of symbolic links"),
        ("/proc/self/fd/1", "cannot be written: Too many levels of symbolic links"),
        ("/etc/passwd/log", "cannot be written: Not a directory"),
        (NULL, reason_of(NULL)),
    ],
)
def test_invalid_path_is_not_fatal(
    capfd: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    log = log_at(name, verbose=True)
    log("one")
    quiet = log_at(name)
    quiet("two")
    quiet.record("three")

    shown = name.replace("\0", " ")
    assert capfd.readouterr() == (
        "",
        f"credproc: 25 ms: one\ncredproc: CREDPROC_LOG: {shown}: {reason}\n",
    )


def test_file_of_another_user_is_left_alone(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("theirs\n", "ascii")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    log_at(path, verbose=True)("one")

    assert path.read_text("ascii") == "theirs\n"
    assert f"CREDPROC_LOG: {path}: is not a regular file of this user" in capfd.readouterr().err


def test_fifo_with_a_reader_gets_nothing(path: Path) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        log_at(path)("one")

        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


def test_no_descriptor_is_left_open(path: Path, tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for name in (path, tmp_path, "/dev/null", "/proc/nowhere/log"):
        log_at(name)("one")

    assert os.listdir("/proc/self/fd") == before


def test_lines_of_many_writers_stay_whole(path: Path) -> None:
    def write(name: str) -> None:
        log = log_at(path)
        for _ in range(100):
            log(name * 700)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = path.read_text("ascii").splitlines()
    assert len(lines) == 600
    assert all(re.search(r": ([a-f])\1{699}$", line) for line in lines)


# Tracebacks.


def failed(cause: Exception | None) -> ProviderFailed:
    """Return a failure, raised for that reason."""
    try:
        try:
            if cause:
                raise cause
        except Exception as error:
            raise ProviderFailed(f"it broke: {SECRET}") from error
        raise ProviderFailed("it broke")
    except ProviderFailed as error:
        return error


def test_traceback_shows_where_and_not_what_was_read(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = log_at(path, verbose=True)
    log.trace(failed(ValueError("unreadable: 0123456789abcdef")))

    printed = capfd.readouterr().err
    assert "in failed" in printed
    assert "credproc: ValueError\n" in printed
    assert printed.endswith("credproc: ProviderFailed: it broke: [secret]\n")
    assert "0123456789abcdef" not in printed
    assert all(line.startswith("credproc: ") for line in printed.splitlines())
    assert not re.search(r"^credproc: [\^~ ]*$", printed, re.MULTILINE)
    assert len(path.read_text("utf-8").splitlines()) == len(printed.splitlines())


def test_error_of_the_program_says_what_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    log_at("", verbose=True).trace(failed(TypeError("takes 1 argument, got 2")))

    assert "credproc: TypeError: takes 1 argument, got 2\n" in capfd.readouterr().err


@pytest.mark.parametrize("cause", [None, ProviderFailed("below")])
def test_error_that_was_foreseen_needs_no_traceback(
    path: Path, capfd: pytest.CaptureFixture[str], cause: Exception | None
) -> None:
    log_at(path, verbose=True).trace(failed(cause))

    assert capfd.readouterr().err == ""
    assert not path.exists()


def test_traceback_is_shown_only_with_verbose(capfd: pytest.CaptureFixture[str]) -> None:
    log_at("").trace(failed(TypeError("x")))

    assert capfd.readouterr() == ("", "")


# stderr.


@pytest.fixture
def stderr() -> Iterator[Callable[[int | None], None]]:
    """Put another descriptor in the place of stderr, or none."""
    kept = os.dup(2)

    def replace(descriptor: int | None) -> None:
        if descriptor is None:
            os.close(2)
        else:
            os.dup2(descriptor, 2)

    yield replace
    os.dup2(kept, 2)
    os.close(kept)


def test_closed_or_full_stderr_is_not_an_error(stderr: Callable[[int | None], None]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    stderr(full)
    os.close(full)
    say("stderr is full")
    stderr(None)
    say("stderr is full")


def test_run_does_not_wait_for_a_stderr_that_is_not_read(
    stderr: Callable[[int | None], None],
) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writer, b"x" * 4096):
            pass
    os.set_blocking(writer, True)
    stderr(writer)
    try:
        say("stderr is full")
    finally:
        os.close(reader)
        os.close(writer)
