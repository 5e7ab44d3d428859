"""The fixtures that all tests use, and what becomes of a test whose needs are not served."""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.outcomes import Skipped
from hypothesis import settings

from tests import needs
from tests.harness import NOWHERE, Host, Processes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

# A busy machine can stop for longer than Hypothesis allows an example by default.
settings.register_profile("credproc", deadline=None)
settings.load_profile("credproc")

#: Seconds of processor time that a test may take by default, with all that it starts: a machine
#: that does other things changes them little.
MOST = 15.0
#: When the test began, in that time.
BEGAN = pytest.StashKey[float]()

#: The property of a report that names what a skipped test needs.
NEED = "needs"


@pytest.fixture(scope="session", autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take the developer's AWS settings away from what runs in this process."""
    import botocore.session

    from tests.chains import LOADER

    nothing = tmp_path_factory.mktemp("hermetic") / "absent"
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("AWS_", "CREDPROC_")) and not name.startswith("CREDPROC_TEST_"):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(nothing))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
        patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", NOWHERE)
        patch.setattr(botocore.session, "create_loader", lambda _: LOADER)
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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --all."""
    parser.addoption(
        "--all",
        action="store_true",
        help="run the slow tests, too, and fail a test whose needs this machine does not serve",
    )
    parser.addoption("--passed-to", metavar="FILE", help="write the names of the tests that pass")
    parser.addoption("--passed", metavar="FILE", help="leave out the tests that it names")


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach what the tests start, whatever the shell made of it for a run behind it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and so would what they start
    file = config.getoption("--passed-to")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Passed(Path(file)))


class Passed:
    """Writes the names of the tests that pass."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.outcomes: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how the test is getting on."""
        self.outcomes.setdefault(report.nodeid, set()).add(report.outcome)

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        passed = [name for name, outcomes in self.outcomes.items() if outcomes == {"passed"}]
        self.file.write_text("".join(f"{name}\n" for name in passed), encoding="utf-8")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has passed."""
    file = config.getoption("--passed")
    if file:
        passed = set(Path(file).read_text(encoding="utf-8").splitlines())
        config.hook.pytest_deselected(items=[each for each in items if each.nodeid in passed])
        items[:] = [each for each in items if each.nodeid not in passed]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose needs the machine does not serve, before its fixtures are made."""
    wanted = [name for mark in item.iter_markers("needs") for name in mark.args]
    slow = item.get_closest_marker("slow") and not item.config.getoption("--all")
    needs.demand(*[needs.SLOW] if slow else wanted)
    item.stash[BEGAN] = _processor_time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that takes too much of the default run."""
    yield
    took = _processor_time() - item.stash.get(BEGAN, float("inf"))
    if took > MOST and not item.get_closest_marker("slow"):
        pytest.fail(f"took {took:.0f} s of processor time: make it quicker, or mark it slow", False)


def _processor_time() -> float:
    """Return the seconds that this process has taken, and those that it started and waited for."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what a skipped test needs; under --all it has failed."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, needs.Missing):
        report.user_properties += [(NEED, name) for name in error.names]
    if report.skipped and item.config.getoption("--all"):
        report.outcome = "failed"
        reason = error.msg if isinstance(error, Skipped) else "it is expected to fail"
        report.longrepr = f"skipped, which --all does not allow: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped, and how to run it."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        counts.update({name for key, name in report.user_properties if key == NEED})
    if not counts:
        return
    terminalreporter.section("skipped")
    for name, count in counts.most_common():
        terminalreporter.line(f"{count:5} need {name}: {needs.lacking(name)}")
    terminalreporter.line(f"To run them: {needs.command(counts)}")
