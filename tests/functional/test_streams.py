"""stdin, stdout and stderr: one document or nothing, whatever the caller did with them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import CREDPROC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import Host, Result
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

A = "arn:aws:iam::111122223333:role/a"

#: How a document is requested: from the cache, fetched, in another format.
WAYS = {
    "hit": [],
    "miss": ["--refresh"],
    "no cache": ["--no-cache"],
    "format": ["--format", "env"],
    "field": ["--field", "SecretAccessKey"],
}


@pytest.fixture
def warm(host: Host, imds: ImdsServer) -> Host:
    """A host with the instance's credentials in its cache."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()
    return host


def shell(host: Host, script: str, *argv: str, **env: Any) -> Result:
    """Run a shell script, in which "$@" is credproc with its arguments."""
    return host.run("-c", script, "sh", str(CREDPROC), *argv, command="/bin/sh", **env)


def files(host: Host) -> Iterator[tuple[Path, bytes]]:
    """Return every file of the host with its contents."""
    for path in host.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


# Output.


@pytest.mark.parametrize("way", WAYS)
def test_success_is_one_write_of_one_document_and_nothing_on_stderr(warm: Host, way: str) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.run(
            [CREDPROC, *WAYS[way]],
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            stdin=subprocess.DEVNULL,
            env=warm.env(),
            cwd=warm.home,
            check=False,
        )
        theirs.close()
        packets = list(iter(lambda: ours.recv(1 << 16), b""))

    assert process.returncode == 0
    assert len(packets) == 1
    assert packets[0].isascii()
    assert packets[0].endswith(b"\n")
    assert b"\r" not in packets[0]


@pytest.mark.parametrize(
    "environ",
    [
        {"LANG": "C"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "utf-16"},
        {"PYTHONIOENCODING": "cp037:strict"},
        {"PYTHONUTF8": "0"},
        {"PYTHONUTF8": "1"},
        {"LC_ALL": "xx_YY.nonsense"},
        {"PYTHONUNBUFFERED": "1"},
        {"TZ": "Pacific/Kiritimati"},
    ],
    ids=str,
)
def test_bytes_are_the_same_in_every_locale(warm: Host, environ: dict[str, Any]) -> None:
    normal = [warm.run(*argv).stdout for argv in ([], ["--format", "env"])]
    odd = [warm.run(*argv, **environ) for argv in ([], ["--format", "env"])]

    assert [result.stdout for result in odd] == normal
    assert [(result.status, result.stderr) for result in odd] == [(0, "")] * 2


@pytest.mark.parametrize("environ", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "utf-16"}], ids=str)
def test_error_is_one_line_of_utf_8_in_every_locale(warm: Host, environ: dict[str, Any]) -> None:
    result = warm.run("--profile", "n\xf6 \u20ac", **environ)

    assert result.status == 2
    assert result.stderr.startswith("credproc: ")
    assert "n\xf6 \u20ac" in result.stderr
    assert result.stderr.count("\n") == 1
    assert len(result.stderr.replace(str(warm.folder), "")) < 300


def test_argument_that_is_not_text_is_shown_escaped(warm: Host) -> None:
    result = shell(warm, 'exec "$1" --profile "$(printf \'p\\377\')"')

    assert result.status == 2
    assert r"not 'p\udcff'" in result.stderr
    assert result.stderr.count("\n") == 1


# stdin.


@pytest.mark.parametrize("way", WAYS)
def test_stdin_is_never_read(warm: Host, way: str) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as kept, open(writer, "wb", buffering=0) as held:
        held.write(b"for somebody else\n")
        result = warm.start(*WAYS[way], stdin=reader).wait()

        assert result.status == 0
        assert kept.read(100) == b"for somebody else\n"


def test_helpers_do_not_read_stdin_either(host: Host) -> None:
    document = json.dumps({"Version": 1, "AccessKeyId": "A" * 20, "SecretAccessKey": "s",
                           "SessionToken": "t", "Expiration": "2038-01-19T03:14:07Z"})  # fmt: skip
    script = host.folder / "helper"
    script.write_text(f"#!/bin/sh\ncat >{host.folder}/stolen\necho '{document}'\n", "ascii")
    script.chmod(0o700)
    host.config(f"[profile p]\ncredential_process = {script}\n")
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as kept, open(writer, "wb", buffering=0) as held:
        held.write(b"for somebody else\n")
        result = host.start("--profile", "p", stdin=reader).wait()

        assert (result.status, result.stderr) == (0, "")
        assert kept.read(100) == b"for somebody else\n"
    assert (host.folder / "stolen").read_bytes() == b""


# Closed.

CLOSED = [numbers for count in (1, 2, 3) for numbers in itertools.combinations((0, 1, 2), count)]


@pytest.mark.parametrize("closed", CLOSED, ids=str)
@pytest.mark.parametrize("way", ["hit", "imds", "sts"])
def test_file_of_ours_never_gets_a_standard_descriptor(
    warm: Host, imds: ImdsServer, sts: StsServer, closed: tuple[int, ...], way: str
) -> None:
    argv = {
        "hit": [],
        "imds": ["--refresh", "-v"],
        "sts": ["--role-arn", A, "--source", "imds", "-v"],
    }[way]
    redirects = " ".join(f"{number}>&-" if number else "<&-" for number in closed)
    log = warm.folder / "log"
    script = f'("$@") {redirects}; echo "status $?"'
    env = {"CREDPROC_LOG": str(log)} if argv else {}
    result = shell(warm, script, *argv, AWS_ENDPOINT_URL_STS=sts.url, **env)
    out, _, status = result.stdout.decode().rpartition("status ")
    said = result.stderr.splitlines()

    if 1 in closed:
        assert (out, status) == ("", "1\n")
        if 2 not in closed:
            assert said[-1] == "credproc: stdout cannot be written: it is closed"
    else:
        assert json.loads(out)["Version"] == 1
        assert status == "0\n"
    assert bool(said) == (2 not in closed and (bool(argv) or 1 in closed))
    # Neither the document nor a line has gone astray, into a file or to a server.
    secrets = [secret.encode() for secret in (*imds.secrets, *sts.secrets)]
    for path, data in files(warm):
        assert path.suffix == ".entry" or not any(secret in data for secret in secrets)
        assert path == log or b"credproc: " not in data
    for request in (*imds.requests, *sts.requests):
        assert request.method in ("PUT", "GET", "POST")
        assert b"credproc" not in request.body.replace(b"credproc-", b"")
        assert b"SecretAccessKey" not in request.body
    assert len(sts.requests) == (way == "sts")


@pytest.mark.parametrize("closed", [(2,), (0, 2)], ids=str)
def test_error_without_stderr_has_its_status(warm: Host, closed: tuple[int, ...]) -> None:
    redirects = " ".join(f"{number}>&-" for number in closed)
    result = shell(warm, f'"$@" {redirects}; echo $?', "--field", "Nothing")

    assert (result.stdout, result.stderr) == (b"2\n", "")


# Broken or full.


@contextlib.contextmanager
def broken_pipe() -> Iterator[int]:
    """Yield the end of a pipe that no process reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@contextlib.contextmanager
def full_device() -> Iterator[int]:
    """Yield a device that has no space left."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def for_reading() -> Iterator[int]:
    """Yield a descriptor that cannot be written."""
    descriptor = os.open("/dev/null", os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


BROKEN = {
    "broken pipe": (broken_pipe, "Broken pipe"),
    "full device": (full_device, "No space left on device"),
    "read only": (for_reading, "it is closed"),
}


def ended(host: Host, *argv: str, stdout: int, stderr: int, **env: str) -> tuple[int, Any]:
    """Run credproc with these descriptors; return its status and what came on stderr, if a pipe."""
    process = subprocess.run(
        [CREDPROC, *argv],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=host.env(**env),
        cwd=host.home,
        check=False,
        timeout=20,
    )
    return process.returncode, process.stderr


@pytest.mark.parametrize("way", [*WAYS, "help"])
@pytest.mark.parametrize("kind", BROKEN)
def test_stdout_that_cannot_be_written_is_one_clear_line(warm: Host, kind: str, way: str) -> None:
    broken, reason = BROKEN[kind]
    with broken() as stdout:
        argv = WAYS.get(way, ["--help"])
        status, stderr = ended(warm, *argv, stdout=stdout, stderr=subprocess.PIPE)

    assert status == 1
    assert stderr.decode() == f"credproc: stdout cannot be written: {reason}\n"


@pytest.mark.parametrize("way", ["hit", "miss", "format", "verbose"])
@pytest.mark.parametrize("kind", BROKEN)
def test_stderr_that_cannot_be_written_is_not_a_failure(warm: Host, kind: str, way: str) -> None:
    argv = WAYS.get(way, ["-v", "--refresh"])
    with BROKEN[kind][0]() as stderr, open(warm.folder / "out", "wb") as file:
        status, _ = ended(warm, *argv, stdout=file.fileno(), stderr=stderr)

    assert status == 0
    assert b"ASIA" in (warm.folder / "out").read_bytes()


def test_both_streams_broken_leave_the_status(warm: Host) -> None:
    with broken_pipe() as stdout, full_device() as stderr:
        assert ended(warm, stdout=stdout, stderr=stderr)[0] == 1


@pytest.mark.parametrize("way", ["hit", "no cache"])
def test_partly_written_document_is_a_failure(warm: Host, way: str) -> None:
    # A file of at most one block of 512 bytes, like the last one of a disk.
    result = shell(warm, 'ulimit -f 1; "$@" >out; echo "status $?"', *WAYS[way])

    assert result.stdout == b"status 1\n"
    assert result.stderr == "credproc: stdout cannot be written: File too large\n"


@pytest.mark.parametrize("way", ["hit", "miss"])
def test_pipe_without_room_is_waited_for(warm: Host, way: str) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filling = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filling += os.write(writer, b"x" * 4096)
    with open(reader, "rb") as stream:
        process = subprocess.Popen(
            [CREDPROC, *WAYS[way]], stdin=subprocess.DEVNULL, stdout=writer,
            stderr=subprocess.PIPE, env=warm.env(), cwd=warm.home,
        )  # fmt: skip
        os.close(writer)
        received: list[bytes] = []
        thread = threading.Thread(target=lambda: received.append(stream.read()))
        thread.start()
        _, stderr = process.communicate(timeout=20)
        thread.join(20)

    assert (process.returncode, stderr) == (0, b"")
    assert json.loads(received[0][filling:])["Version"] == 1


@pytest.mark.parametrize("way", [(), ("--format", "env")], ids=["hit", "other format"])
def test_pipe_that_is_never_read_does_not_outlast_the_deadline(
    warm: Host, way: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb"), open(writer, "wb", buffering=0) as full:
        os.set_blocking(writer, False)
        while full.write(b"x" * 4096):
            pass
        os.set_blocking(writer, True)
        status, stderr = ended(warm, *way, "--timeout", "1", stdout=writer, stderr=subprocess.PIPE)

    assert status == 1
    assert stderr == (
        b"credproc: stdout is full: the process that started credproc did not read it in time\n"
    )
