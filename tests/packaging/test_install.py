"""The README's installation, and what remains after uninstalling."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import credproc
from tests import artefacts, manpages, readme, venvs
from tests.harness import SCRIPTS

# What an index and a network take, which on a busy day is no fault of credproc's.
pytestmark = [pytest.mark.slow, pytest.mark.needs("network"), pytest.mark.timeout(300)]

BLOCKS = [block for block in readme.section("Install").blocks if block.kind == "install"]


def shell(script: str, folder: Path, cwd: Path | None = None, **extra: str) -> str:
    """Run a script of a user whose tools write only to the folder; return its output."""
    programs = folder / "local" / "bin"
    env = {
        **venvs.environment(),
        "PATH": f"{programs}:{SCRIPTS}:{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin",
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(programs),
        "PIPX_MAN_DIR": str(folder / "local" / "share" / "man"),
        "UV_TOOL_DIR": str(folder / "uv"),
        "UV_TOOL_BIN_DIR": str(programs),
        **extra,
    }
    command = ["/bin/sh", "-ec", script]
    done = subprocess.run(
        command, cwd=cwd or folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.commands[0][0])
def test_installs_as_the_readme_says(block: readme.Block, tmp_path: Path) -> None:
    tree, programs = tmp_path / "tree", tmp_path / "local" / "bin"
    programs.mkdir(parents=True)
    artefacts.copy(artefacts.source(), tree)
    script = "\n".join(command for command, _ in block.commands)
    script = script.replace("/opt/credproc", str(tmp_path / "opt"))

    shell(script.replace("/usr/local", str(programs.parent)), tmp_path, cwd=tree)

    assert {path.name for path in programs.iterdir()} == {"credproc", "credprocctl"}
    for name in ("credproc", "credprocctl"):
        said = shell(f"{programs / name} --version", tmp_path)
        assert said == f"{name} {credproc.__version__}\n"
    if block.commands[0][0].startswith("uv"):
        pages = tmp_path / "uv" / "credproc" / "share" / "man"
    else:
        pages = tmp_path / "local" / "share" / "man"
    found = {path.name for path in pages.glob("man*/*") if path.is_file()}
    assert found == {manpages.path(name).name for name in manpages.SECTIONS}


@pytest.mark.needs("man")
def test_man_finds_pages_next_to_the_directory_of_a_command(tmp_path: Path) -> None:
    pages = tmp_path / "local" / "share" / "man" / "man1"
    pages.mkdir(parents=True)
    (tmp_path / "local" / "bin").mkdir()
    (pages / "credproc.1").write_text(".TH credproc 1\n")

    assert shell("man -w credproc", tmp_path) == f"{pages / 'credproc.1'}\n"


def test_contributors_first_commands_work(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    artefacts.copy(artefacts.source(), tree)
    (block,) = [b for b in readme.section("Set up").blocks if b.kind == "develop"]

    # What is installed here need not be installed again; pip looks along the same path.
    here = sysconfig.get_path("purelib")
    # pytest removes what earlier runs left in its temporary folder: not these commands' task.
    own = tmp_path / "tmp"
    own.mkdir()
    script = "\n".join(command for command, _ in block.commands)
    said = shell(
        script,
        tmp_path,
        tree,
        PYTHONPATH=here,
        PYTHONDONTWRITEBYTECODE="1",
        PYTEST_ADDOPTS="",
        TMPDIR=str(own),
    )

    assert re.findall(r"\d+ passed", said)[-1] == "1 passed"


@pytest.mark.parametrize("tool", ["pipx", "uv tool"])
def test_uninstall_leaves_nothing(tool: str, tmp_path: Path, wheel: Path) -> None:
    shell(f"{tool} install {wheel}", tmp_path)
    before = list(tmp_path.rglob("credproc*"))

    shell(f"{tool} uninstall credproc", tmp_path)

    assert before
    assert [p for p in tmp_path.rglob("credproc*") if "logs" not in p.parts] == []


#: A line that installs into another environment; pip 21.2 came with Python 3.10 and cannot run on
#: 3.12, whose first one was 23.2.
INSTALLERS = {
    "old pip": f"{{python}} -m pip install -q -t {{folder}}/pip "
    f"pip=={'21.2.4' if sys.version_info < (3, 12) else '23.2.1'} && "
    "PYTHONPATH={folder}/pip {venv}/bin/python -m pip install -q --no-deps {wheel}",
    "pip": "{python} -m pip --python {venv} install -q --no-deps {wheel}",
    "uv": "uv pip install -q --python {venv} --no-deps {wheel}",
}


@pytest.mark.parametrize("installer", INSTALLERS)
def test_every_installer_writes_the_same_command(
    installer: str, tmp_path: Path, wheel: Path
) -> None:
    venv = tmp_path / "venv"
    shell(f"{sys.executable} -m venv --without-pip {venv}", tmp_path)
    line = INSTALLERS[installer].format(
        python=sys.executable, folder=tmp_path, venv=venv, wheel=wheel
    )
    shell(line, tmp_path)

    written = (venv / "bin" / "credproc").read_text("utf-8")
    text = (artefacts.source() / "credproc" / "bin" / "credproc").read_text("utf-8")
    assert written == text.replace("#!python", f"#!{venv}/bin/python", 1)
    assert shell(f"{venv}/bin/credproc --version", tmp_path).startswith("credproc ")


def test_distributions_are_what_an_index_accepts(dist: Path) -> None:
    files = [str(artefacts.wheel(dist)), str(artefacts.sdist(dist))]
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files]

    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)

    assert done.returncode == 0, done
    assert done.stdout.count("PASSED") == 2
