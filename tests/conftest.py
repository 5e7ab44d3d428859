"""The fixtures everyone uses, and the rule that a complete run skips nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.harness import NOWHERE, Host, Processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer


@pytest.fixture(scope="session", autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take the developer's AWS settings away from what runs in this process."""
    nothing = tmp_path_factory.mktemp("hermetic") / "absent"
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("AWS_", "CREDPROC_")) and not name.startswith("CREDPROC_TEST_"):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(nothing))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
        patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", NOWHERE)
        yield


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Start processes that end with the test, however it ends."""
    started = Processes()
    try:
        yield started
    finally:
        started.end()


@pytest.fixture
def host(tmp_path: Path, processes: Processes) -> Iterator[Host]:
    """A machine without an instance role, a configuration or a cache."""
    made_up = Host(tmp_path, processes)
    try:
        yield made_up
    finally:
        processes.end()
        made_up.end()


@pytest.fixture
def imds() -> Iterator[ImdsServer]:
    """A metadata service whose instance has the role ``app``; no host knows of it by itself."""
    from tests.servers.imds import ImdsServer

    with ImdsServer() as server:
        yield server


@pytest.fixture
def sts() -> Iterator[StsServer]:
    """An STS; no host knows of it by itself."""
    from tests.servers.sts import StsServer

    with StsServer() as server:
        yield server


class NoSkips:
    """Fails the run if a test did not run to its end, and says which."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that was skipped, or whose failure is expected."""
        if report.skipped:
            self.skipped.append(f"{report.nodeid}: {_reason(report)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that skipped itself."""
        if report.skipped:
            self.skipped.append(f"{report.nodeid}: {_reason(report)}")

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Turn a success with holes into a failure."""
        if self.skipped and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what was skipped."""
        if self.skipped:
            terminalreporter.section("--no-skips: these tests were skipped", red=True)
            for line in self.skipped:
                terminalreporter.line(line, red=True)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else getattr(report, "wasxfail", where))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --no-skips."""
    parser.addoption(
        "--no-skips", action="store_true", help="fail if any test is skipped, and say which"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Obey --no-skips."""
    if config.getoption("--no-skips"):
        config.pluginmanager.register(NoSkips(), "no-skips")
