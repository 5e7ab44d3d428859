"""--verbose and CREDPROC_LOG: what happened, for whoever wants to know, and never a secret."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from tests import cachedir
from tests.harness import herd
from tests.servers.sts_errors import error

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
def cloud(host: Host, imds: ImdsServer, sts: StsServer) -> Host:
    """A host with every service."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
    return host


@pytest.fixture
def log(cloud: Host) -> Path:
    """The file that every run of the host is to write to."""
    path = cloud.folder / "log"
    cloud.environ["CREDPROC_LOG"] = str(path)
    return path


def lines(log: Path) -> list[tuple[int, str]]:
    """Return the lines of the file: who said what; AssertionError if one is torn."""
    found = []
    for line in log.read_text("utf-8").splitlines():
        match = STAMP.fullmatch(line)
        assert match, line
        found.append((int(match[1]), match[2]))
    return found


def told(log: Path) -> list[str]:
    """Return what the lines of the file say."""
    return [text for _, text in lines(log)]


def has(texts: Iterable[str], pattern: str) -> bool:
    """Whether one of the lines matches."""
    return any(re.search(pattern, text) for text in texts)


def test_verbose_tells_on_stderr_and_prints_the_same_document(
    cloud: Host, imds: ImdsServer, sts: StsServer
) -> None:
    result = cloud.run(*CHAIN, "-v")
    said = result.stderr.splitlines()

    assert result.status == 0
    assert result.stdout == cloud.run(*CHAIN).stdout
    assert all(line.startswith("credproc: ") for line in said)
    assert has(said, rf"cache: not there \({cloud.cache}\)")
    assert has(said, rf"role 1 of 1: {A}: <Credentials \.\.\.{sts.issued[0].access_key[-4:]}")
    assert has(said, r"valid until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    for secret in (*imds.secrets, *sts.secrets, "geheim42", sts.issued[0].access_key):
        assert secret not in result.stderr


def test_file_is_told_the_same(cloud: Host, log: Path) -> None:
    result = cloud.run(*CHAIN, "-v")

    assert told(log) == [line.removeprefix("credproc: ") for line in result.stderr.splitlines()]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_file_alone_hears_without_verbose(
    cloud: Host, log: Path, imds: ImdsServer, sts: StsServer
) -> None:
    document = cloud.document(*CHAIN)
    first = told(log)
    assert cloud.document(*CHAIN) == document

    assert has(first, "cache: not there")
    assert has(told(log)[len(first) :], r"cache: fresh \(")
    whole = log.read_text("utf-8")
    assert not any(secret in whole for secret in (*imds.secrets, *sts.secrets, "geheim42"))


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["--profile", "nobody"], 2),
        (["--format", "xml"], 2),
        (["--imds", "other"], 1),
        (["--role-arn", A, "--source", "env"], 1),
    ],
)
def test_line_of_a_failed_run_is_in_the_file(
    cloud: Host, log: Path, argv: list[str], status: int
) -> None:
    result = cloud.run(*argv)

    assert result.status == status
    assert f"credproc: {told(log)[-1]}\n" == result.stderr


@pytest.mark.parametrize("kind", ["AccessDenied", "Throttling"])
def test_stale_credentials_are_served_with_the_reason(
    cloud: Host, log: Path, sts: StsServer, kind: str
) -> None:
    document = cloud.document(*CHAIN)
    cachedir.leave(cloud.cache, 600)
    sts.fail(error(kind))
    served = cloud.document(*CHAIN)

    assert served["AccessKeyId"] == document["AccessKeyId"]
    assert has(told(log), f"{kind}.*: what is held stays valid until its end, and is the answer")


def test_refresh_in_the_background_tells_the_file(cloud: Host, log: Path) -> None:
    cloud.document(*CHAIN)
    cachedir.leave(cloud.cache, 1500)
    process = cloud.start(*CHAIN)
    assert process.wait().status == 0
    cloud.settle()

    others = [text for pid, text in lines(log) if pid != process.pid]
    mine = [text for pid, text in lines(log) if pid == process.pid]
    assert has(mine, "cache: fresh, to be refreshed in the background")
    assert has(others, f"role 1 of 1: {A}: <Credentials")


def test_lines_of_many_runs_stay_whole(cloud: Host, log: Path) -> None:
    results = herd(cloud, 20, "--imds")

    assert {result.status for result in results} == {0}
    assert {result.stderr for result in results} == {""}
    assert len({pid for pid, _ in lines(log)}) == 20


@pytest.mark.parametrize(
    "name", ["log", "~/log", "/nowhere/log", "/dev/full", "/dev/stdout", "fifo", "folder", "link"]
)
def test_file_that_cannot_be_costs_nothing(cloud: Host, name: str) -> None:
    os.mkfifo(cloud.folder / "fifo")
    (cloud.folder / "folder").mkdir()
    (cloud.folder / "link").symlink_to(cloud.folder / "target")
    path = str(cloud.folder / name) if name in ("fifo", "folder", "link") else name
    result = cloud.run("--imds", CREDPROC_LOG=path)

    assert result.document["Version"] == 1
    assert not (cloud.folder / "target").exists()
    assert not (cloud.home / "log").exists()


@pytest.mark.parametrize("argv", [[], ["--role-arn", A, "--source", "env"]])
def test_verbose_shows_no_traceback_of_what_was_foreseen(cloud: Host, argv: list[str]) -> None:
    result = cloud.run(*argv, "-v", AWS_EC2_METADATA_DISABLED="true")

    assert result.status == 1
    assert "File " not in result.stderr
    assert len(result.stderr.splitlines()) < 8


def test_help_and_usage_errors_need_no_file(cloud: Host, log: Path) -> None:
    assert cloud.run("--help").status == cloud.run("--version").status == 0

    assert not log.exists()
