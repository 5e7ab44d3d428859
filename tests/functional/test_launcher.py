"""The programs of `credprocctl launcher` do what credproc does, and start faster."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import credproc
from credproc.ctl import native
from tests.harness import SCRIPTS

if TYPE_CHECKING:
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

PACKAGE = str(Path(credproc.__file__))
CTL = SCRIPTS / "credprocctl"
ROLE = "arn:aws:iam::123456789012:role/one"


def written(host: Host, path: Path, *options: str) -> Path:
    """Write a launcher."""
    # A compiler finds its assembler and its linker there.
    tools = None if "--python" in options else os.environ["PATH"]
    result = host.run(
        "launcher", *options, str(path), command=CTL, PATH=tools or host.environ["PATH"]
    )
    assert (result.status, result.stderr) == (0, "")
    assert f"credential_process = {path}" in result.stdout.decode()
    return path


@pytest.fixture(params=[pytest.param("C", marks=pytest.mark.needs("cc")), "Python"])
def launcher(host: Host, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A launcher of each kind."""
    path = written(host, tmp_path / "fast", *(["--python"] if request.param == "Python" else []))
    assert (path.read_bytes()[:2] == b"#!") == (request.param == "Python")
    return path


@pytest.fixture
def script(host: Host, tmp_path: Path) -> Path:
    """The launcher in Python."""
    return written(host, tmp_path / "script", "--python")


def test_launcher_prints_what_credproc_prints(host: Host, launcher: Path, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    missed = host.run(command=launcher)
    again = host.run(command=launcher)

    assert missed.document == again.document == host.document()
    assert missed.document["AccessKeyId"] == imds.current["AccessKeyId"]
    assert imds.count("creds") == 1


def test_launcher_finds_botocore(
    host: Host, launcher: Path, imds: ImdsServer, sts: StsServer
) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.environ["AWS_ENDPOINT_URL_STS"] = sts.url
    result = host.run("--role-arn", ROLE, "--source", "imds", command=launcher)

    assert result.document["AccessKeyId"] == sts.issued[-1].access_key


def test_launcher_loads_nothing_of_the_callers(
    host: Host, launcher: Path, tmp_path: Path, imds: ImdsServer
) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("json", "credproc", "sitecustomize", "http"):
        (trap / f"{name}.py").write_text("raise SystemExit(77)\n")

    assert host.run(command=launcher, cwd=trap, PYTHONPATH=str(trap)).document


def test_script_loads_nothing_of_site(host: Host, script: Path, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
    host.document()
    # With a profile function the process ends as usual, so that something can run at its end.
    tell = "sys.setprofile(lambda *_: None)\natexit.register(lambda: print(*sys.modules))\n"
    text = script.read_text().replace("sys.exit", f"import atexit\n{tell}sys.exit")
    script.write_text(text)

    loaded = set(host.run(command=script).stdout.decode().splitlines()[-1].split())
    bare = host.run("-c", "import sys; print(*sys.modules)", command=sys.executable)
    names = ("__main__", "answer", "cache", "system")
    ours = {"credproc", *(f"credproc.{name}" for name in names), "atexit"}
    assert loaded - set(bare.stdout.decode().split()) == ours
    assert not {"site", "sitecustomize", "usercustomize", "_sitebuiltins"} & loaded


def test_launcher_overwrites_only_a_launcher(host: Host, launcher: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\n")

    assert host.run("launcher", "--python", str(launcher), command=CTL).status == 0
    refused = host.run("launcher", "--python", str(other), command=CTL)
    assert (refused.status, refused.stdout) == (2, b"")
    assert refused.stderr.count("\n") == 1
    assert other.read_text() == "#!/bin/sh\n"
    assert not list(tmp_path.glob("*.tmp"))


def test_launcher_in_a_missing_directory_is_one_line(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "bin" / "fast"

    result = host.run("launcher", "--python", str(path), command=CTL)

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr == (
        f"credprocctl: {path}: the directory {path.parent} does not exist: create it first\n"
    )


@pytest.mark.needs("cc")
class TestProgram:
    """The launcher in C."""

    @pytest.fixture
    def program(self, host: Host, tmp_path: Path, imds: ImdsServer) -> Path:
        """A launcher, of a host whose answer is cached."""
        host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
        path = written(host, tmp_path / "fast")
        host.document()
        return path

    def test_hit_does_not_become_python(self, host: Host, program: Path) -> None:
        document = host.document()
        # Where Python would not start, so that only the program can have printed.
        data = program.read_bytes().replace(os.fsencode(sys.executable), b"/" * len(sys.executable))
        program.write_bytes(data)

        assert host.run(command=program).document == document
        refused = host.run("--refresh", command=program)
        assert (refused.status, refused.stdout) == (1, b"")
        assert "cannot be run" in refused.stderr
        assert "write this launcher again with `credprocctl launcher`" in refused.stderr

    @pytest.mark.needs("strace")
    def test_hit_takes_few_system_calls(self, host: Host, program: Path, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        shown = host.run("-o", str(trace), str(program), command=str(shutil.which("strace")))
        assert shown.status == 0

        lines = trace.read_text("utf-8").splitlines()
        calls = [line.partition("(")[0] for line in lines]
        assert calls.count("execve") == calls.count("write") == 1
        ours = calls[[PACKAGE in line for line in lines].index(True) :]
        # The package, two for the directory, two for the entry, one a file, and the instance.
        assert len(ours) < 40
        assert set(ours) <= {
            *("stat", "newfstatat", "fstat", "open", "openat", "read", "close", "geteuid"),
            *(
                "uname",
                "poll",
                "rt_sigaction",
                "write",
                "exit_group",
                "clock_gettime",
                "+++ exited",
            ),
        } | {call for call in ours if call.startswith("+++")}

    def test_launcher_of_another_version_becomes_python(
        self, host: Host, program: Path, imds: ImdsServer
    ) -> None:
        size = str(os.stat(PACKAGE).st_mtime_ns)
        assert host.run(command=program).document
        text = native.source(sys.executable, "-c", "print('other')")
        path = program.with_name("other")
        changed = text.replace(size, str(int(size) + 1))
        path.write_bytes(native.compiled(changed, native.compiler(os.environ)))
        path.chmod(0o755)

        assert "AccessKeyId" not in host.run(command=path).stdout.decode()

    def test_full_pipe_and_closed_one_are_left_to_python(
        self, host: Host, program: Path, tmp_path: Path
    ) -> None:
        full = host.run("-c", f"{program} >/dev/full", command="/bin/sh")
        closed = host.run("-c", f"{program} >&-", command="/bin/sh")
        assert "stdout cannot be written: No space left on device" in full.stderr
        assert "stdout cannot be written: it is closed" in closed.stderr
        assert full.status == closed.status == 1


def test_launcher_without_a_compiler_is_a_script(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "fast"
    result = host.run("launcher", str(path), command=CTL, CC="missing-cc")
    assert result.status == 0
    assert "no C compiler was found" in result.stderr
    assert path.read_bytes().startswith(b"#!")


def test_compiler_that_fails_is_named(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "fast"
    result = host.run("launcher", str(path), command=CTL, CC="ls")
    assert result.status == 0
    assert "cannot compile the launcher" in result.stderr
    assert path.read_bytes().startswith(b"#!")
