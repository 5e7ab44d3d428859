"""Traps in the environment and in the working directory have no effect.

What an interpreter does before it runs the first line of a script is out of a script's reach, and
not tested: sitecustomize.py or credproc/ on PYTHONPATH, PYTHONHOME, PYTHONVERBOSE. Who fears those
starts `python -I -m credproc`.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pytest

import credproc
from tests.harness import CREDPROC, SCRIPTS

if TYPE_CHECKING:
    from tests.harness import Host

A = "arn:aws:iam::111122223333:role/a"
WAYS = {
    "hit": ["--imds"],
    "imds": ["--imds", "--refresh"],
    "sts": ["--role-arn", A, "--source", "imds", "--refresh"],
    "profile": ["--profile", "p", "--refresh"],
}
HOSTILE = "import os\nos.write(1, b'hostile ' + __name__.encode())\nos._exit(66)\n"


@pytest.fixture
def cloud(online: Host) -> Host:
    """A host with every service, and with the instance's credentials in its cache."""
    online.config(f"[profile p]\nrole_arn = {A}\ncredential_source = Ec2InstanceMetadata\n")
    online.document()
    return online


def traps(folder: Path, host: Host) -> Path:
    """Make a folder where every module that is not loaded by every interpreter is a trap."""
    code = "import sys; print(*sys.modules)"
    loaded = host.run("-c", code, command=sys.executable).stdout.decode().split()
    names = set(sys.stdlib_module_names) - set(loaded) - set(sys.builtin_module_names)
    names |= {"boto3", "botocore", "filelock", "platformdirs", "jmespath", "urllib3", "dateutil"}
    folder.mkdir(exist_ok=True)
    for name in filter(find_spec, names):
        (folder / f"{name}.py").write_text(HOSTILE, "ascii")
    assert {"json", "argparse", "subprocess", "signal", "traceback"} <= names
    return folder


def check(host: Host, way: str, *, cwd: Path | None = None, **env: Any) -> None:
    """Run credproc, which must behave as usual."""
    result = host.run(*WAYS[way], cwd=cwd, **env)

    assert result.document["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize("way", WAYS)
def test_module_path_does_not_hide_the_standard_library(cloud: Host, way: str) -> None:
    folder = traps(cloud.folder / "traps", cloud)
    bait = cloud.run("-c", "import json", command=sys.executable, PYTHONPATH=str(folder))
    assert bait.stdout == b"hostile json"

    check(cloud, way, PYTHONPATH=str(folder))
    check(cloud, way, PYTHONPATH=f":{cloud.folder}", cwd=folder)  # "" is the working directory


@pytest.mark.parametrize("way", WAYS)
def test_modules_in_the_working_directory_are_not_loaded(cloud: Host, way: str) -> None:
    folder = traps(cloud.folder / "traps", cloud)
    (folder / "credproc").mkdir()
    for name in ("__init__", "__main__", "cli", "cache", "request"):
        (folder / "credproc" / f"{name}.py").write_text(HOSTILE, "ascii")

    check(cloud, way, cwd=folder)
    check(cloud, way, cwd=folder, PYTHONPATH="", PYTHONSTARTUP=str(folder / "json.py"))


@pytest.mark.parametrize("way", WAYS)
def test_modules_beside_the_script_are_not_loaded(cloud: Host, way: str) -> None:
    folder = traps(cloud.folder / "bin", cloud)
    shutil.copy(CREDPROC, folder / "credproc")
    result = cloud.run(*WAYS[way], command=folder / "credproc")

    assert result.document["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize("way", ["hit", "sts"])
def test_credproc_may_itself_be_on_the_module_path(cloud: Host, way: str) -> None:
    home = cloud.folder / "installed"
    home.mkdir()
    for module in (credproc, filelock):
        shutil.copytree(Path(module.__file__ or "").parent, home / module.__name__)
    code = (
        "import sys; sys.argv[0] = 'credproc'; import credproc.__main__ as m; "
        "code = m.run(sys.argv[1:], m.os.environ); import filelock; "
        "sys.stderr.write(m.__file__ + ' ' + filelock.__file__); sys.exit(code)"
    )
    result = cloud.run("-c", code, *WAYS[way], command=sys.executable, PYTHONPATH=str(home))

    assert result.status == 0
    assert result.stderr == f"{home}/credproc/__main__.py {home}/filelock/__init__.py"


TRAPS = [
    {"PYTHONSTARTUP": "{hostile}", "PYTHONINSPECT": "1", "PYTHONBREAKPOINT": "hostile"},
    {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1", "PYTHONHASHSEED": "4294967295"},
    {"PYTHONWARNINGS": "always", "PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "0"},
    {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "{folder}"},
    {"PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1", "PYTHONUSERBASE": "{folder}"},
    {"PYTHONMALLOC": "debug", "PYTHONFAULTHANDLER": "1", "PYTHONTRACEMALLOC": "1"},
    {"PYTHONIOENCODING": "utf-16", "PYTHONUTF8": "0", "PYTHONINTMAXSTRDIGITS": "640"},
]


@pytest.mark.parametrize("trap", TRAPS, ids=str)
@pytest.mark.parametrize("way", ["hit", "sts"])
def test_variables_of_the_interpreter_change_nothing(
    cloud: Host, way: str, trap: dict[str, str]
) -> None:
    hostile = cloud.folder / "hostile.py"
    hostile.write_text(HOSTILE, "ascii")
    places = {"hostile": hostile, "folder": cloud.folder}
    env: dict[str, Any] = {name: value.format(**places) for name, value in trap.items()}

    check(cloud, way, **env)


#: Runs credproc, with a library that warns when it is loaded.
WARNING = """\
import sys
class Library:
    def find_spec(self, name, path=None, target=None):
        if name == "botocore.session":
            import warnings
            warnings.warn("this Python is too old")
            warnings.warn("this call is deprecated", DeprecationWarning)
sys.meta_path.insert(0, Library())
from credproc.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("wanted", [None, "error", "always"])
def test_warning_of_a_library_is_neither_shown_nor_an_error(
    cloud: Host, wanted: str | None
) -> None:
    argv = ["-c", WARNING, *WAYS["sts"]]
    result = cloud.run(*argv, command=sys.executable, PYTHONWARNINGS=wanted)

    assert result.document["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize("trap", ["error", "always"])
def test_error_stays_one_line_despite_warnings(cloud: Host, trap: str) -> None:
    argv = ["--profile", "missing"]
    normal, odd = cloud.run(*argv), cloud.run(*argv, PYTHONWARNINGS=trap, PYTHONINSPECT="1")

    assert (odd.status, odd.stdout, odd.stderr) == (2, b"", normal.stderr)
    assert normal.stderr.count("\n") == 1


@pytest.mark.parametrize("way", ["hit", "imds"])
def test_no_prompt_of_the_interpreter_at_a_terminal(cloud: Host, way: str) -> None:
    leader, follower = os.openpty()
    try:
        os.write(leader, b"import os; os._exit(66)\n")
        process = subprocess.run(
            [CREDPROC, *WAYS[way]],
            stdin=follower,
            capture_output=True,
            env=cloud.env(PYTHONINSPECT="1", PYTHONSTARTUP="/dev/null"),
            cwd=cloud.home,
            check=False,
            timeout=20,
        )
    finally:
        os.close(leader)
        os.close(follower)

    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout.startswith(b'{"Version": 1')


@pytest.mark.parametrize("mask", ["000", "777"])
def test_umask_does_not_affect_file_modes(cloud: Host, mask: str) -> None:
    folder, log = cloud.folder / "new" / "cache", cloud.folder / "log"
    script = f'umask {mask}; "$@" && exec "$@"'
    command = ["sh", str(CREDPROC), *WAYS["sts"][:-1], "--cache-dir", str(folder)]
    result = cloud.run("-c", script, *command, command="/bin/sh", CREDPROC_LOG=str(log))

    assert (result.status, result.stderr) == (0, "")
    first, second = result.stdout.splitlines()
    assert first == second
    made = [log, folder.parent, folder, *folder.iterdir()]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    assert modes == {path.name: 0o700 if path.is_dir() else 0o600 for path in made}
    assert len(list(folder.glob("*.entry"))) == 3


@pytest.mark.parametrize("way", WAYS)
def test_working_directory_may_be_gone(cloud: Host, way: str) -> None:
    gone = cloud.folder / "gone"
    gone.mkdir()
    script = f'cd {gone} && rmdir {gone} && exec "$@"'
    result = cloud.run("-c", script, "sh", str(CREDPROC), *WAYS[way], command="/bin/sh")

    assert result.document["AccessKeyId"].startswith("ASIA")


def test_script_is_found_by_its_name_alone(cloud: Host) -> None:
    result = cloud.run("-c", "exec credproc", command="/bin/sh", PATH=f"{SCRIPTS}:/usr/bin:/bin")

    assert result.document == cloud.document()
