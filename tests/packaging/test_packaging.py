"""The contents and metadata of the wheel and the sdist, and what an installation provides."""

from __future__ import annotations

import email
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

import credproc
from credproc.ctl import completion
from tests import artefacts, manpages, venvs
from tests.harness import SCRIPTS

if TYPE_CHECKING:
    from email.message import Message

    from tests.harness import Host

NAME = f"credproc-{credproc.__version__}"
COMMANDS = ("credproc", "credprocctl")
#: Shipped as it is: what some installers generate for an entry point imports ``re``.
SCRIPT = "credproc/bin/credproc"
#: Where each shell looks for a completion script.
COMPLETIONS = {
    "bash": "share/bash-completion/completions",
    "zsh": "share/zsh/site-functions",
    "fish": "share/fish/vendor_completions.d",
}
#: The manual pages, in the package's source.
PAGES = {manpages.path(name).name for name in manpages.SECTIONS}
#: What a module may be called; a test, a copy or a backup is none.
MODULE = re.compile(r"(?!test_|conftest)[a-z0-9_]+\.py")


@pytest.fixture
def metadata(dist: Path) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(artefacts.wheel(dist)) as wheel:
        return email.message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))


def package() -> set[str]:
    """Return the files of the package in the source tree, relative to it."""
    tree = artefacts.source()
    return {
        path.relative_to(tree).as_posix()
        for path in (tree / "credproc").rglob("*")
        if path.is_file() and not {"__pycache__", "bin", "man"} & set(path.relative_to(tree).parts)
    }


def completion_scripts() -> dict[str, str]:
    """Return the installed path of each completion script, by its path in the source tree."""
    return {
        f"credproc/{place}": f"{COMPLETIONS[shell]}/{place.name}"
        for shell in completion.SHELLS
        for place in (completion.place(shell, command) for command in completion.COMMANDS)
    }


def test_package_contains_only_modules_and_listed_files() -> None:
    files = package()
    modules = {file for file in files if MODULE.fullmatch(Path(file).name)}

    others = {"credproc/launcher.c", "credproc/py.typed", *completion_scripts()}
    assert files - modules == others
    assert {f"{Path(file).parent.as_posix()}/__init__.py" for file in modules} <= modules


def test_wheel_contains_only_the_package(dist: Path) -> None:
    with zipfile.ZipFile(artefacts.wheel(dist)) as wheel:
        names = set(wheel.namelist())

    info = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
    pages = {f"{NAME}.data/data/share/man/man{page[-1]}/{page}" for page in PAGES}
    pages |= {f"{NAME}.data/data/{path}" for path in completion_scripts().values()}
    others = pages | {f"{NAME}.data/scripts/credproc"}
    assert names == package() | others | {f"{NAME}.dist-info/{name}" for name in info}


def test_wheel_is_for_every_machine(dist: Path) -> None:
    assert artefacts.wheel(dist).name == f"{NAME}-py3-none-any.whl"


def test_sdist_contains_the_whole_tree(dist: Path, tmp_path: Path) -> None:
    artefacts.copy(artefacts.source(), tmp_path / "tree")
    tree = {path.relative_to(tmp_path / "tree") for path in (tmp_path / "tree").rglob("*")
            if path.is_file()}  # fmt: skip
    with tarfile.open(artefacts.sdist(dist)) as sdist:
        modes = {Path(*Path(member.name).parts[1:]): member.mode for member in sdist
                 if not member.isdir()}  # fmt: skip

    added = {path for path in modes if path.parts[0] == "credproc.egg-info"} | {Path("PKG-INFO")}
    assert set(modes) - added == tree
    assert modes[Path(".ci/run")] == 0o755


@pytest.mark.slow
def test_build_contains_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    tree, wheels = tmp_path / "tree", tmp_path / "wheels"
    artefacts.copy(artefacts.source(), tree)
    extra = tree / "credproc" / "deleted_since.py"
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    command += ["--wheel-dir", str(wheels), str(tree)]

    def built() -> set[str]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        with zipfile.ZipFile(artefacts.wheel(wheels)) as wheel:
            return {Path(name).name for name in wheel.namelist()}

    extra.touch()
    assert extra.name in built()
    extra.unlink()
    # And what a build of a release before this one has left.
    left = tree / "build" / "lib" / "credproc"
    left.mkdir(parents=True)
    (left / "older.py").touch()

    assert not {extra.name, "older.py"} & built()
    assert [path.name for path in left.iterdir()] == ["older.py"]


@pytest.mark.slow
def test_wheel_of_the_tree_is_the_wheel_of_the_sdist(dist: Path, tmp_path: Path) -> None:
    artefacts.build(
        artefacts.source(), tmp_path / "dist", sys.executable, "--no-isolation", "--wheel"
    )

    again = artefacts.wheel(tmp_path / "dist")
    assert again.read_bytes() == artefacts.wheel(dist).read_bytes()


@pytest.mark.slow
def test_another_build_gives_the_same_bytes_under_another_umask(dist: Path, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        artefacts.build(artefacts.source(), tmp_path / "dist", sys.executable, "--no-isolation")
    finally:
        os.umask(umask)

    for pick in (artefacts.sdist, artefacts.wheel):
        assert pick(tmp_path / "dist").read_bytes() == pick(dist).read_bytes()


def test_metadata(metadata: Message) -> None:
    assert metadata["Name"] == "credproc"
    assert metadata["Version"] == credproc.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Summary"]
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_description_is_the_readme(metadata: Message) -> None:
    readme = (artefacts.source() / "README.rst").read_text(encoding="utf-8")

    assert metadata["Description-Content-Type"] == "text/x-rst"
    described = metadata.get_payload(decode=True)
    assert isinstance(described, bytes)
    assert described.decode().strip() == readme.strip()


def test_boto3_filelock_and_platformdirs_are_all_that_is_required(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist", [])

    always = {re.split(r"[^\w-]", line)[0] for line in required if "extra ==" not in line}
    assert always == {"boto3", "filelock", "platformdirs"}
    extras = {*metadata.get_all("Provides-Extra", [])}
    assert extras == {"lint", "measure", "packaging", "test"}


def test_pinned_releases_satisfy_the_requirements() -> None:
    tree = artefacts.source()
    lines = (tree / ".constraints.txt").read_text(encoding="utf-8").splitlines()
    held = [Requirement(line) for line in lines if not line.startswith("#")]

    for requirement in map(Requirement, venvs.requirements("lint", "test", "packaging", "measure")):
        found = [each for each in held if canonical(each.name) == canonical(requirement.name)]
        assert found, requirement
        for each in found:
            (pin,) = each.specifier
            assert pin.operator == "=="
            assert requirement.specifier.contains(pin.version), each


def test_version_is_in_one_file_and_in_the_changes() -> None:
    tree = artefacts.source()
    version = credproc.__version__
    named = [
        path.relative_to(tree).as_posix()
        for path in [*(tree / "credproc").rglob("*.py"), tree / "setup.cfg", tree / "setup.py"]
        if re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", path.read_text("utf-8"))
    ]

    assert named == ["credproc/__init__.py"]
    changes = (tree / "CHANGELOG.rst").read_text(encoding="utf-8")
    headings = re.findall(r"^(\d+\.\d+\.\d+) - (unreleased|\d{4}-\d\d-\d\d)\n-+$", changes, re.M)
    assert headings[0][0] == version
    kinds = re.findall(r"^(\w+)\n\^+$", changes, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_two_commands_are_installed() -> None:
    points = importlib.metadata.distribution("credproc").entry_points

    assert {point.name: point.value for point in points} == {
        "credprocctl": "credproc.ctl.__main__:main"
    }
    for name in COMMANDS:
        assert os.access(SCRIPTS / name, os.X_OK)


@pytest.mark.parametrize("start", ["command", "module"])
def test_version(host: Host, start: str) -> None:
    if start == "command":
        result = host.run("--version")
    else:
        result = host.run("-m", "credproc", "--version", command=sys.executable)

    assert (result.status, result.stdout, result.stderr) == (
        0,
        f"credproc {credproc.__version__}\n".encode(),
        "",
    )


def test_tested_package_is_the_installed_one() -> None:
    installed = Path(sysconfig.get_path("purelib")) / "credproc"
    tested = installed if artefacts.DIST in os.environ else artefacts.source() / "credproc"

    assert Path(credproc.__file__).parent == tested
    assert not (tested / "tests").exists()


def test_installed_modules_have_bytecode() -> None:
    installed = Path(credproc.__file__).parent
    modules = {path.stem for path in installed.glob("*.py")}

    compiled = {path.name.split(".")[0] for path in (installed / "__pycache__").glob("*.pyc")}
    assert modules <= compiled
