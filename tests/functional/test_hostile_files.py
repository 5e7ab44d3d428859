"""Whatever lies in the cache directory, or is put in its place: it is not followed, not believed,
not waited for; and the next miss sets it right where that is safe.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from tests import cachedir, needs
from tests.harness import CREDPROC
from tests.users import NOBODY, UNKNOWN, as_user, public_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.harness import Host, Result
    from tests.servers.imds import ImdsServer

    Spoil = Callable[[Path, Path], None]

#: Seconds in which a run must end that could have waited for another process.
SOON = 10.0


@pytest.fixture(autouse=True)
def instance(host: Host, imds: ImdsServer) -> None:
    """Every host here is the instance."""
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url


def replaced(path: Path, data: bytes) -> None:
    """Replace the file, so that it keeps nothing but its name."""
    path.unlink()
    path.touch(mode=0o600)
    path.write_bytes(data)


def symlink(path: Path, outside: Path) -> None:
    path.rename(outside)
    path.symlink_to(outside)


def dangling(path: Path, outside: Path) -> None:
    path.unlink()
    path.symlink_to(outside)


def hard_link(path: Path, outside: Path) -> None:
    os.link(path, outside)


def fifo(path: Path, outside: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def unix_socket(path: Path, outside: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(path.parent, os.O_RDONLY)  # the whole path may be too long for a socket
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
    path.chmod(0o600)


def device(path: Path, outside: Path) -> None:
    needs.demand("devices")
    path.unlink()
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero, which never ends


def folder(path: Path, outside: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def foreign(path: Path, outside: Path) -> None:
    as_user(NOBODY)
    os.chown(path, NOBODY, NOBODY)


def mode(bits: int) -> Spoil:
    return lambda path, outside: path.chmod(bits)


def data(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda path, outside: replaced(path, change(path.read_bytes()))


def huge(path: Path, outside: Path) -> None:
    os.truncate(path, 1024**3)


def flipped(content: bytes) -> bytes:
    middle = content.index(b"canarySecret")
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


#: What a file may be instead of a private, plain one.
KINDS: dict[str, Spoil] = {
    "symbolic link": symlink,
    "dangling link": dangling,
    "hard link": hard_link,
    "fifo": fifo,
    "socket": unix_socket,
    "device": device,
    "folder": folder,
    "foreign": foreign,
    "readable by the group": mode(0o640),
    "writable by the group": mode(0o620),
    "readable by all": mode(0o604),
    "open to all": mode(0o666),
    "huge": huge,
}
#: What an entry may hold instead of what was written.
CONTENTS: dict[str, Spoil] = {
    "nothing": data(lambda content: b""),
    "all but the last byte": data(lambda content: content[:-1]),
    "the first line": data(lambda content: content.partition(b"\n")[0] + b"\n"),
    "a byte more": data(lambda content: content + b"\n"),
    "a bit flipped": data(flipped),
    "zeros": data(lambda content: bytes(len(content))),
    "another version": data(
        lambda content: content.replace(b"credproc-entry 2 ", b"credproc-entry 999 ", 1)
    ),
    "a document alone": data(lambda content: content[content.index(b'{"Version"') :]),
    "JSON": data(lambda content: b'{"Version": 1}'),
}


def spoiled(host: Host, paths: list[Path], spoil: Spoil) -> list[bytes]:
    """Spoil the files; return what lies outside the cache after that."""
    for path in paths:
        spoil(path, host.folder / f"outside-{path.name}")
    return outsides(host)


def outsides(host: Host) -> list[bytes]:
    """Return what lies outside the cache."""
    return [path.read_bytes() for path in sorted(host.folder.glob("outside-*"))]


@pytest.mark.parametrize("name", [*KINDS, *CONTENTS])
def test_hostile_entry_is_a_miss_and_replaced(host: Host, imds: ImdsServer, name: str) -> None:
    host.document()
    entries = sorted(host.cache.glob("*.entry"))
    assert len(entries) == 2  # the answer, and the session that it is from
    before = spoiled(host, entries, {**KINDS, **CONTENTS}[name])
    imds.turn()

    result = host.run(timeout=SOON)

    assert result.document["AccessKeyId"] == imds.current["AccessKeyId"]
    assert imds.count("creds") == 2
    for entry in entries:
        assert_private(entry)
    assert host.document() == result.document
    assert imds.count("creds") == 2
    assert outsides(host) == before


@pytest.mark.parametrize("name", KINDS)
def test_hostile_lock_is_replaced_and_no_run_waits(host: Host, imds: ImdsServer, name: str) -> None:
    host.document()
    locks = sorted(host.cache.glob(f"{'?' * 32}.lock"))
    assert len(locks) == 2
    before = spoiled(host, locks, KINDS[name])
    imds.turn()

    result = host.run("--refresh", "-v", timeout=SOON)

    assert result.status == 0
    assert "no lock" not in result.stderr
    assert imds.count("creds") == 2
    assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"]
    if name != "huge":
        for lock in locks:
            assert_private(lock)
    assert outsides(host) == before


@pytest.mark.parametrize("end", [".entry", ".lock"])
def test_folder_in_the_place_of_a_file_stays_if_there_is_something_in_it(
    host: Host, imds: ImdsServer, end: str
) -> None:
    host.document()
    path = cachedir.answer(host.cache).with_suffix(end)
    path.unlink()
    path.mkdir(mode=0o700)
    (path / "kept").touch()
    imds.turn()

    result = host.run("--refresh", "-v")

    assert result.status == 0
    assert ("not written" if end == ".entry" else "no lock") in result.stderr
    assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"]
    assert (path / "kept").exists()
    assert cachedir.names(host.cache, ".tmp") == []


def test_entry_of_another_request_is_a_miss(host: Host, imds: ImdsServer) -> None:
    host.document("--imds", "app")
    other = cachedir.answer(host.cache)
    data = other.read_bytes()
    other.unlink()
    imds.turn()
    host.document()
    cachedir.answer(host.cache).write_bytes(data)

    assert host.document()["AccessKeyId"] == imds.current["AccessKeyId"]
    assert imds.count("creds") == 2, "the session of the request is good"


def test_huge_entry_takes_no_memory(host: Host, imds: ImdsServer) -> None:
    host.document()
    entry = cachedir.answer(host.cache)
    os.truncate(entry, 1024**3)

    script = 'ulimit -v 400000 && exec "$0"'
    assert host.run("-c", script, str(CREDPROC), command="/bin/sh").document
    assert entry.stat().st_size < 4096


def assert_private(path: Path) -> None:
    status = path.lstat()
    assert stat.S_ISREG(status.st_mode)
    assert (status.st_mode & 0o777, status.st_uid, status.st_nlink) == (0o600, os.geteuid(), 1)


def own_folder_elsewhere(path: Path, outside: Path) -> None:
    outside.mkdir(mode=0o700)
    path.symlink_to(outside)


def foreign_folder(path: Path, outside: Path) -> None:
    as_user(NOBODY)
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, NOBODY)


def folder_of_mode(bits: int) -> Spoil:
    def make(path: Path, outside: Path) -> None:
        path.mkdir()
        path.chmod(bits)

    return make


def below_a_writable_one(path: Path, outside: Path) -> None:
    path.mkdir(mode=0o700)
    path.parent.chmod(0o777)


DIRECTORIES: dict[str, tuple[Spoil, str]] = {
    "symbolic link": (own_folder_elsewhere, "is a symbolic link, not a directory"),
    "dangling link": (lambda path, out: path.symlink_to(out), "is a symbolic link, not"),
    "file": (lambda path, out: path.touch(mode=0o600), "is a file, not a directory"),
    "fifo": (lambda path, out: os.mkfifo(path, 0o600), "is a file, not a directory"),
    "foreign": (foreign_folder, f"belongs to another user (uid {NOBODY})"),
    "writable by the group": (folder_of_mode(0o770), "has mode 0770 and must be private"),
    "writable by all": (folder_of_mode(0o777), "has mode 0777 and must be private"),
    "a second /tmp": (folder_of_mode(0o1777), "has mode 1777 and must be private"),
    "below a writable one": (below_a_writable_one, "its parent is world-writable"),
}


@pytest.mark.parametrize(
    ("name", "end"), [*((name, "") for name in DIRECTORIES), ("symbolic link", "/")]
)
def test_hostile_directory_turns_the_cache_off(
    host: Host, imds: ImdsServer, name: str, end: str
) -> None:
    spoil, problem = DIRECTORIES[name]
    above, outside = host.folder / "above", host.folder / "outside"
    above.mkdir(mode=0o755)
    spoil(above / "cache", outside)
    host.environ["CREDPROC_CACHE_DIR"] = f"{above}/cache{end}"
    before = os.lstat(above / "cache")

    host.run(timeout=SOON)
    result = host.run("-v", timeout=SOON)

    assert result.status == 0
    assert imds.count("creds") == 2
    assert problem in result.stderr, result.stderr
    after = os.lstat(above / "cache")
    assert (after.st_mode, after.st_uid, after.st_ino) == (
        before.st_mode,
        before.st_uid,
        before.st_ino,
    )
    assert not outside.exists() or os.listdir(outside) == []
    assert not (above / "cache").is_dir() or os.listdir(above / "cache") == []


def test_link_above_the_directory_is_followed(host: Host, imds: ImdsServer) -> None:
    """People put ~/.cache on another disk."""
    elsewhere = host.folder / "big-disk"
    elsewhere.mkdir(mode=0o755)
    (host.home / ".cache").symlink_to(elsewhere)

    host.document()
    host.document()

    assert imds.count("creds") == 1
    assert len(cachedir.names(elsewhere / "credproc", ".entry")) == 2  # a session, an answer


class Neighbours:
    """A victim and an attacker, both without any rights, in a folder that both can reach."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self.cache = folder / "cache"
        self._victim = as_user(NOBODY, reads_all=True)
        self._attacker = as_user(UNKNOWN)

    def victim(self, *args: str) -> Result:
        """Run credproc as the victim."""
        rest = [*self._victim[1:], str(CREDPROC), *args]
        command, place = self._victim[0], str(self.cache)
        return self.host.run(*rest, command=command, timeout=SOON, CREDPROC_CACHE_DIR=place)

    def attack(self, script: str) -> Result:
        """Run a shell command in the folder as the attacker."""
        command, *rest = self._attacker
        return self.host.run(*rest, "sh", "-c", script, command=command, cwd=self.folder)


@pytest.fixture
def neighbours(host: Host) -> Iterator[Neighbours]:
    with public_folder() as folder:
        folder.chmod(0o1777)
        yield Neighbours(host, folder)


@pytest.mark.needs("flock", "mkfifo")
def test_another_user_can_neither_read_nor_plant_nor_block(
    neighbours: Neighbours, imds: ImdsServer
) -> None:
    first = neighbours.victim().document
    names = os.listdir(neighbours.cache)
    assert len(names) == 6  # a session and an answer with their locks, two locks of all

    for name in ["", *names]:
        for attack in ("cat", "ls", "touch", "rm -f", "chmod 666", "flock -n", "ln -f -t ."):
            done = neighbours.attack(f"{attack} cache/{name} {'true' * ('flock' in attack)}")
            assert done.status != 0, (attack, name, done)
            assert done.stdout == b""
    for attack in (
        "mkfifo cache/x",
        "ln -s / cache/x",
        "mv cache gone",
        "rmdir cache",
        "> cache/x",
    ):
        assert neighbours.attack(attack).status != 0, attack

    assert neighbours.victim().document == first
    assert neighbours.victim("--refresh").document == first
    assert sorted(os.listdir(neighbours.cache)) == sorted(names)
    assert os.listdir(neighbours.folder) == ["cache"]
    assert imds.count("creds") == 2


@pytest.mark.parametrize(
    "plant",
    [
        "mkdir -m 777 cache",
        "mkdir -m 700 cache",
        pytest.param("mkfifo -m 666 cache", marks=pytest.mark.needs("mkfifo")),
        "> cache; chmod 666 cache",
        "ln -s / cache",
        "ln -s . cache",
        "mkdir -m 777 real; ln -s real cache",
    ],
)
def test_entry_that_another_user_created_first_is_not_used(
    neighbours: Neighbours, imds: ImdsServer, plant: str
) -> None:
    assert neighbours.attack(plant).status == 0
    before = sorted(neighbours.folder.rglob("*"))

    for _ in range(2):
        assert neighbours.victim().document["AccessKeyId"] == imds.current["AccessKeyId"]

    assert sorted(neighbours.folder.rglob("*")) == before
    assert imds.count("creds") == 2


def test_folder_further_up_that_is_exchanged_gains_nothing(
    neighbours: Neighbours, imds: ImdsServer
) -> None:
    neighbours.folder.chmod(0o777)  # where any user may rename the files of others
    middle = neighbours.folder / "middle"
    middle.mkdir(mode=0o755)
    os.chown(middle, NOBODY, NOBODY)
    neighbours.cache = middle / "cache"
    neighbours.victim()
    entry = cachedir.answer(neighbours.cache)
    name = entry.name

    # Even an attacker who knows the format of an entry.
    loot = neighbours.folder / "loot"
    shutil.copy(entry, loot)
    os.chown(loot, UNKNOWN, UNKNOWN)
    imds.turn()
    script = (
        f"mv middle gone && mkdir -p middle/cache && mv loot middle/cache/{name} && "
        "chmod 700 middle/cache && chmod 600 middle/cache/*"
    )
    assert neighbours.attack(script).status == 0

    result = neighbours.victim("-v")

    assert f"belongs to another user (uid {UNKNOWN})" in result.stderr
    assert neighbours.victim().document["AccessKeyId"] == imds.current["AccessKeyId"]
    assert os.listdir(neighbours.cache) == [name]
