"""A hit: the entry's document, byte for byte, from the disk alone, with few system calls."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import credproc
from credproc import answer
from tests import cachedir, needs
from tests.cloud import CHAIN, ONE, PROFILES
from tests.harness import CREDPROC

if TYPE_CHECKING:
    from tests.cloud import Cloud

#: Requests of each kind, and the profiles that they name.
WAYS = {
    "imds": (),
    "named role": ("--imds", "app"),
    "imds before a chain": ("--imds", *CHAIN),
    "chain": CHAIN,
    "chain from imds": ("--role-arn", ONE, "--source", "imds"),
    "chain from a profile": ("--role-arn", ONE, "--source", "profile:one"),
    "profile": ("--profile", "two"),
}


@pytest.fixture
def known(cloud: Cloud) -> Cloud:
    """A host whose config has the profiles, and whose runs are not measured for coverage."""
    cloud.host.config(PROFILES)
    cloud.host.environ |= {
        name: None for name in cloud.host.environ if name.startswith("COVERAGE_")
    }
    return cloud


def requests(cloud: Cloud) -> tuple[int, int, int]:
    """Return the numbers of requests and connections to the services."""
    return cloud.imds.count(), cloud.sts.count(), cloud.imds.connections + cloud.sts.connections


def held(cloud: Cloud, *argv: str) -> bytes:
    """Return the document of the entry that answers a command line."""
    key = answer.key(argv, cloud.host.env())
    (entry,) = [each for each in cachedir.entries(cloud.host.cache) if each.key == key]
    return entry.document


@pytest.mark.parametrize("way", WAYS)
def test_hit_prints_the_entrys_document_and_makes_no_call(known: Cloud, way: str) -> None:
    first = known.host.run(*WAYS[way])
    before = requests(known)
    results = [known.host.run(*WAYS[way]) for _ in range(3)]

    assert first.document
    assert {result.stdout for result in results} == {held(known, *WAYS[way])}
    assert {result.stdout for result in results} == {first.stdout}
    assert {(result.status, result.stderr) for result in results} == {(0, "")}
    assert requests(known) == before


@pytest.mark.parametrize(
    "words",
    [
        ["--imds=app"],
        ["--timeout", "5", "--imds", "app"],
        ["--imds", "app", "--format", "env"],
        ["--imds", "app", "--field", "SecretAccessKey"],
    ],
    ids=" ".join,
)
def test_another_invocation_is_answered_from_the_same_session(
    known: Cloud, words: list[str]
) -> None:
    known.host.run("--imds", "app")
    first = known.host.run(*words)
    again = known.host.run(*words)

    assert (first.status, first.stdout) == (again.status, again.stdout)
    assert held(known, *words) == again.stdout
    assert known.imds.count("creds") == 1


@pytest.mark.parametrize(
    "more", [["--verbose"], ["--field", "AccessKeyId"], ["--format", "env"]], ids=lambda m: m[0]
)
def test_hit_with_a_log_or_a_format_makes_no_call_either(known: Cloud, more: list[str]) -> None:
    document = known.host.document("--imds", "app")
    before = requests(known)
    result = known.host.run("--imds", "app", *more)

    assert result.status == 0
    assert document["AccessKeyId"] in result.stdout.decode()
    assert requests(known) == before


def test_hit_is_logged(known: Cloud) -> None:
    document = known.host.run().stdout
    result = known.host.run(CREDPROC_LOG=str(known.log_path))

    assert (result.status, result.stdout, result.stderr) == (0, document, "")
    assert "cache: fresh" in known.log()
    assert known.imds.count("creds") == 1


@pytest.mark.parametrize(
    "start", [["-m", "credproc"], ["-I", "-m", "credproc"], ["-O", str(CREDPROC)]]
)
def test_hit_is_the_same_however_it_is_started(known: Cloud, start: list[str]) -> None:
    document = known.host.run().stdout
    result = known.host.run(*start, command=sys.executable)

    assert (result.status, result.stdout, result.stderr) == (0, document, "")
    assert known.imds.count("creds") == 1


#: What makes another request of it, and so a miss.
OTHER: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "role": (("--imds", "other"), {}),
    "session name": ((*CHAIN, "--role-session-name", "me"), {}),
    "partition": (CHAIN, {"AWS_REGION": "cn-north-1"}),
    "key": (CHAIN, {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPL2"}),
    "user": (CHAIN, {"LOGNAME": "another-user"}),
}


def test_other_arguments_or_variables_are_not_a_hit(known: Cloud) -> None:
    known.host.run("--imds")
    known.host.run(*CHAIN)
    known.imds.role = "other"
    for what, (argv, environ) in OTHER.items():
        before = requests(known)
        result = known.host.run(*argv, **environ)

        assert result.document, what
        assert requests(known) != before, what


CORRECT = ("--role-arn", ONE, "--external-id", "42", "--source", "env")
WRONG = [
    ("--role-arn", ONE, "--external_id", "42", "--source", "env"),
    (*CORRECT, "--duration-seconds", "0"),
    (*CORRECT, "--duration-seconds", "9" * 5000),
    (*CORRECT, "--mfa-command", " "),
    (*CORRECT, "--timeout", "0"),
    (*CORRECT, "--cache-dir", "x"),
    (*CORRECT, "--source", "env"),
    (*CORRECT, "extra"),
]


def test_wrong_command_line_is_not_answered_from_the_cache(known: Cloud) -> None:
    document = known.host.run(*CORRECT).stdout
    for argv in WRONG:
        result = known.host.run(*argv)

        assert (result.status, result.stdout) == (2, b""), argv
        assert result.stderr.count("\n") == 1, argv
    assert known.host.run(*CORRECT).stdout == document


# System calls.

#: Calls that have to do with memory, signals and threads, which is the interpreter's business.
INTERPRETER = (
    *(
        "brk",
        "futex",
        "getrandom",
        "madvise",
        "mmap",
        "mprotect",
        "mremap",
        "munmap",
        "rt_sigaction",
    ),
    "rt_sigprocmask",
)
#: Names that one system call has on one machine or another.
NAMES = {
    **dict.fromkeys(("fstat", "fstatat64", "lstat", "newfstatat", "statx"), "stat"),
    **dict.fromkeys(("openat", "openat2"), "open"),
    **dict.fromkeys(("geteuid32",), "geteuid"),
}
LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)")

#: All that a hit does once it is loaded: the entry, its witnesses, the answer.
ENTRY = [
    *("stat ~/.cache", "open ~/.cache/credproc", "stat", "geteuid"),
    *("open ENTRY", "stat", "geteuid", "read", "close", "close"),
]
CONFIG_FILE = ["stat ~/.aws/config"]
CREDENTIALS_FILE = ["stat ~/.aws/credentials"]
INSTANCE = ["open /proc/sys/kernel/random/boot_id", "read", "close", "uname"]
#: A file whose times have no fractions is read, since they do not show every change.
MACHINE = ["stat /etc/machine-id"]
if os.path.exists("/etc/machine-id") and not os.stat("/etc/machine-id").st_ctime_ns % 10**9:
    MACHINE += ["open /etc/machine-id", "stat", "read", "close"]
ANSWER = ["setitimer", "write"]
BUDGET = {
    "imds": [*ENTRY, *INSTANCE, *CONFIG_FILE, *ANSWER],
    "chain": [*ENTRY, *CONFIG_FILE, *CREDENTIALS_FILE, *MACHINE, *ANSWER],
    "chain from imds": [
        *(*ENTRY, *CONFIG_FILE, *CREDENTIALS_FILE),
        *(*MACHINE, *INSTANCE, *ANSWER),
    ],
    "profile": [*ENTRY, *CONFIG_FILE, *CREDENTIALS_FILE, *MACHINE, *ANSWER],
}


def traced(cloud: Cloud, command: list[str]) -> list[str]:
    """Run a command under strace, which must succeed; return the lines of the trace."""
    needs.demand("strace")
    file = cloud.host.folder / "trace"
    result = cloud.host.run("-f", "-qq", "-o", str(file), *command, command="strace")
    assert (result.status, result.stderr) == (0, "")
    return file.read_text().splitlines()


def calls(cloud: Cloud, lines: list[str]) -> list[str]:
    """Return the names of the system calls, with the paths that were given to them."""
    found = []
    for line in lines:
        match = LINE.match(line)
        if not match or match[1] in INTERPRETER:
            continue
        name = NAMES.get(match[1], match[1])
        path = re.match(r'(?:\w+, )?"([^"]+)"', match[2])
        shown = (
            path[1].replace(str(cloud.host.home), "~") if path and name in ("stat", "open") else ""
        )
        shown = re.sub(r"^[0-9a-f]{32}\.entry$", "ENTRY", shown)
        found.append(f"{name} {shown}".strip())
    return found


def after_loading(lines: list[str]) -> list[str]:
    """Return the lines after those of the last module."""
    last = max(number for number, line in enumerate(lines) if ".py" in line and "open" in line)
    closed = next(number for number in range(last, len(lines)) if "close(" in lines[number])
    return lines[closed + 1 :]


@pytest.mark.parametrize("way", BUDGET)
def test_hit_makes_no_more_system_calls_than_its_budget(known: Cloud, way: str) -> None:
    # A file that was written just now may change again unseen, so its content would be read.
    time.sleep(0.2)
    document = known.host.run(*WAYS[way]).stdout
    known.host.run(*WAYS[way])
    lines = traced(known, [str(CREDPROC), *WAYS[way]])

    assert calls(known, after_loading(lines)) == [*BUDGET[way], "exit_group"]
    written = [line for line in lines if re.match(r"\d+ +write\(", line)]
    assert len(written) == 1
    assert re.search(rf"write\(1, .* = {len(document)}$", written[0])


@pytest.mark.parametrize("way", BUDGET)
def test_hit_starts_nothing_and_connects_to_nothing(known: Cloud, way: str) -> None:
    known.host.run(*WAYS[way])
    names = {call.split()[0] for call in calls(known, traced(known, [str(CREDPROC), *WAYS[way]]))}

    assert {"open", "read", "write", "exit_group"} <= names
    assert names.isdisjoint(
        {"socket", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg", "bind"}
    )
    assert names.isdisjoint(
        {"clone", "clone3", "fork", "vfork", "flock", "fsync", "rename", "unlink"}
    )


def test_all_that_a_hit_adds_to_a_bare_interpreter_is_some_system_calls(known: Cloud) -> None:
    known.host.run()
    known.host.run()
    hit = traced(known, [str(CREDPROC)])
    bare = traced(known, [sys.executable, "-c", "pass"])

    assert len(calls(known, hit)) - len(calls(known, bare)) < 160
    ours = [line for line in hit if "/credproc/__pycache__/" in line and "open" in line]
    assert len(ours) == 5


def test_bytes_read_are_those_of_five_modules_and_one_entry() -> None:
    folder = os.path.dirname(credproc.__file__)
    sizes = [
        os.path.getsize(importlib.util.cache_from_source(os.path.join(folder, f"{name}.py")))
        for name in ("__init__", "__main__", "answer", "cache", "system")
    ]

    # The bytecode of Python 3.15 is some 2 % longer.
    assert sum(sizes) < (50 if sys.version_info < (3, 15) else 52) * 1024
