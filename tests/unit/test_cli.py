"""The error line and the status, whatever went wrong; the module path; the end of the process."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import credproc.__main__ as command
from credproc import answer, background, cache, cli, refresh, sweep
from credproc.errors import (
    CodeNotGiven,
    DeadlineExceeded,
    ProviderFailed,
    ProviderUnavailable,
    RequestError,
    UsageError,
)
from credproc.log import Log
from credproc.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from credproc.cache import Entry

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without anything."""
    return {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}


def breaking(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let every refresh end in this error."""

    def answer(self: refresh.Refresher, *_: object) -> Entry:
        self.secrets.append(SECRET)
        raise error

    monkeypatch.setattr(refresh.Refresher, "answer", answer)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProviderFailed("x"), 1),
        (ProviderUnavailable("x"), 1),
        (DeadlineExceeded("x"), 1),
        (CodeNotGiven("x"), 1),
        (RequestError("x"), 2),
        (UsageError("x"), 2),
    ],
)
def test_error_is_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    environ: dict[str, str],
    error: Exception,
    status: int,
) -> None:
    breaking(monkeypatch, error)
    hint = " (see credproc --help)" if isinstance(error, UsageError) else ""

    assert cli.respond([], environ) == status
    assert capfd.readouterr() == ("", f"credproc: x{hint}\n")


def test_error_from_elsewhere_cannot_break_the_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    breaking(
        monkeypatch, ProviderFailed(f"a\x1b]0;title\x07\nb\r\n\tc {SECRET} \ud800" + "d" * 5000)
    )
    cli.respond([], environ)

    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert said.isascii()
    assert said[:-1].isprintable()
    assert len(said) < 1600
    assert SECRET not in said


@pytest.mark.parametrize("argv", [[], ["-v"]])
def test_internal_error_says_where_it_is_and_not_what_it_handled(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    environ: dict[str, str],
    argv: list[str],
) -> None:
    breaking(monkeypatch, ValueError(f"invalid literal: {SECRET[:12]}"))

    assert cli.respond(argv, environ) == 1
    *trace, line = capfd.readouterr().err.splitlines()
    where = r"ValueError at test_cli\.py:\d+; please report it with the output of -v"
    assert re.fullmatch(f"credproc: internal error in credproc: {where}", line)
    assert bool(trace) == bool(argv)
    assert not argv or any("in answer" in each for each in trace)
    assert SECRET[:12] not in "".join(trace)


def test_mistake_is_traced_in_the_file(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], tmp_path: Path
) -> None:
    breaking(monkeypatch, AttributeError("'Run' object has no attribute 'x'"))
    environ["CREDPROC_LOG"] = str(tmp_path / "log")
    cli.respond([], environ)

    text = (tmp_path / "log").read_text("utf-8")
    assert "AttributeError: 'Run' object has no attribute 'x'" in text
    assert "internal error in credproc: AttributeError at test_cli.py:" in text.splitlines()[-1]


def test_background_run_says_nothing_on_stderr_but_the_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    breaking(monkeypatch, ValueError("x"))

    assert cli.respond(["-v"], environ, in_background=True) == 1
    assert len(capfd.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_requested_text_is_printed(
    capfd: pytest.CaptureFixture[str], environ: dict[str, str], option: str
) -> None:
    assert cli.respond([option], environ) == 0

    out, err = capfd.readouterr()
    assert out.endswith("\n")
    assert err == ""


# The module path.

LIBRARY = sys.path[[path.endswith("lib-dynload") for path in sys.path].index(True) - 1]
ZIPPED = next(path for path in sys.path if path.endswith(".zip"))


def test_standard_library_comes_before_other_folders() -> None:
    path = ["/hostile", "", ZIPPED, LIBRARY, LIBRARY + "/lib-dynload", "/site-packages"]
    command._trust(path)

    assert path == [ZIPPED, LIBRARY, LIBRARY + "/lib-dynload", "/site-packages", "/hostile", ""]


@pytest.mark.parametrize("front", [[], ["/elsewhere"]])
def test_module_path_is_left_alone_where_credproc_itself_is_in_front(front: list[str]) -> None:
    home = command.__file__.rpartition("/credproc/")[0]
    path = [*front, home, ZIPPED, LIBRARY, "/site-packages"]
    before = list(path)
    command._trust(path)

    assert path == before


def test_module_path_without_a_standard_library_is_left_alone() -> None:
    path = ["/hostile", "/elsewhere"]
    command._trust(path)

    assert path == ["/hostile", "/elsewhere"]


# The end of the process.


#: Says so when the interpreter is taken apart.
ENDING = """
import atexit, sys
import credproc.__main__ as command
atexit.register(print, "taken apart", flush=True)
sys.argv = ["credproc", sys.argv[1]]
{watch}
sys.exit(command.main())
"""
WATCHES = ["sys.settrace(lambda *_: None)", "sys.setprofile(lambda *_: None)"]


@pytest.mark.parametrize("watch", ["", *WATCHES])
@pytest.mark.parametrize(("word", "status"), [("--version", 0), ("--nonsense", 2)])
def test_interpreter_is_finalized_only_when_traced(
    watch: str, word: str, status: int, environ: dict[str, str]
) -> None:
    program = [sys.executable, "-c", ENDING.format(watch=watch), word]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == status
    assert done.stdout.endswith("taken apart\n") == bool(watch)


def test_out_of_memory_is_not_reported_as_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    breaking(monkeypatch, MemoryError())

    with pytest.raises(MemoryError):
        cli.respond([], environ)


# A hit, and what it leaves to others.


def held(environ: dict[str, str]) -> bytes:
    """Keep a document for the instance's role; return it."""
    store = Store(cache.directory(environ))
    store.make()
    now = int(time.time())
    made = cache.Entry(answer.key([], environ))
    made.document = b'{"Version": 1}\n'
    made.issued, made.ahead, made.now = now, now + 1800, now + 2700
    made.look, made.expiration = now + 1800, now + 3600
    store.write(made)
    return made.document


def test_unusual_cache_location_is_left_to_the_full_command(
    environ: dict[str, str],
) -> None:
    assert command.hit([], environ | {"XDG_CACHE_HOME": "relative"}, time.time()) is None


# What the system may refuse, without an effect on the run.


def test_run_goes_on_where_core_dumps_cannot_be_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refused)

    cli._disable_core_dumps()


def overdue(environ: dict[str, str]) -> Store:
    """Return a cache that was swept three days ago."""
    held(environ)
    store = Store(cache.directory(environ))
    sweep.sweep(store, time.time() - 3 * 86400, Log("", time.time))
    assert sweep.is_due(store, time.time())
    return store


def test_sweep_runs_in_process_if_fork_fails(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    store = overdue(environ)
    tried: list[object] = []

    def refused(work: object) -> None:
        tried.append(work)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(background, "detach", refused)
    cli._sweep(store, Log("", time.time), in_background=False)

    assert len(tried) == 1
    assert not sweep.is_due(store, time.time())


def test_run_in_the_background_sweeps_by_itself(environ: dict[str, str]) -> None:
    store = overdue(environ)
    cli._sweep(store, Log("", time.time), in_background=True)

    assert not sweep.is_due(store, time.time())
