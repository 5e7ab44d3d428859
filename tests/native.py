"""Worlds in which the launcher in C and the Python that it stands for are compared.

A world is a home with one entry in its cache that would be printed, and then one thing about it is
changed. The launcher may decline what Python prints, and never prints anything else.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from credproc import answer, cache
from credproc.ctl import native

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

ARGV = ["--role-arn", "arn:aws:iam::111122223333:role/a", "--source", "profile:laptop"]
DOCUMENT = b'{"Version": 1, "AccessKeyId": "ASIAEXAMPLEEXAMPLE00", "Expiration": "x"}\n'
#: What the launcher becomes when it declines.
FALSE = "/bin/false"


def program(folder: Path, options: Sequence[str] = ()) -> Path:
    """Compile a launcher that fails instead of becoming Python."""
    using = native.compiler(os.environ)
    path = folder / "launcher"
    path.write_bytes(native.compiled(native.source(FALSE, "", ""), using, options))
    path.chmod(0o700)
    return path


class World:
    """A home, its entry and its variables; after each change both launchers run again."""

    def __init__(self, folder: Path, launcher: Path) -> None:
        self.launcher = launcher
        self.home = folder / "home"
        self.argv = list(ARGV)
        self.cwd = folder
        self.environ: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """Make everything as it was in the beginning."""
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / ".aws").mkdir(parents=True)
        (self.home / ".cache" / "credproc").mkdir(parents=True, mode=0o700)
        for name in ("config", "credentials"):
            (self.home / ".aws" / name).write_text(f"[profile {name}]\nregion = eu-west-1\n")
        self.argv = list(ARGV)
        self.environ = {"HOME": str(self.home), "AWS_REGION": "eu-west-1", "OTHER": "value"}
        self.entry = self.made()
        self.store()

    def made(self) -> cache.Entry:
        """Return an entry with a witness of each kind, that is fresh."""
        witnesses = answer.Witnesses(self.environ)
        for name in ("config", "credentials", "absent", "config/below"):
            witnesses.file(str(self.home / ".aws" / name))
        os.chdir(self.cwd)
        witnesses.directory()
        witnesses.instance()
        witnesses.machine()
        witnesses.variable("OTHER")
        witnesses.variable("MISSING")
        now = int(time.time())
        entry = cache.Entry(answer.key(self.argv, self.environ))
        entry.provider, entry.document, entry.witnesses = "chain", DOCUMENT, witnesses.encoded()
        entry.issued, entry.ahead, entry.now = now - 60, now + 1800, now + 2700
        entry.expiration = now + 3600
        return entry

    @property
    def path(self) -> Path:
        """The entry's file."""
        name = cache.fingerprint(answer.key(self.argv, self.environ))
        return self.home / ".cache" / "credproc" / f"{name}.entry"

    def store(self, data: bytes | None = None, mode: int = 0o600) -> None:
        """Write the entry, or other bytes in its place."""
        path = self.path
        path.unlink(missing_ok=True)
        path.write_bytes(cache.encode(self.entry) if data is None else data)
        path.chmod(mode)

    def by_python(self) -> bytes:
        """Return what a hit in Python prints of a fresh entry, b"" if it declines."""
        if self.environ.get("CREDPROC_LOG") or any(word in answer.ONCE for word in self.argv):
            return b""
        folder = cache.directory(self.environ, answer.option(self.argv, "--cache-dir"))
        if not folder:
            return b""
        key = answer.key(self.argv, self.environ)
        entry = answer.current(cache.Cache(folder).read(key), self.environ)
        if entry is None or entry.judge(time.time()) != cache.FRESH:
            return b""
        return entry.document

    def by_launcher(self) -> bytes:
        """Return what the launcher prints, b"" if it declines; AssertionError if it breaks."""
        command = [str(self.launcher), *self.argv]
        done = subprocess.run(
            command, env=self.environ, cwd=self.cwd, capture_output=True, check=False
        )
        assert done.returncode in (0, 1), (done, signal.Signals(-done.returncode))
        assert done.stderr == b"", done.stderr.decode()
        assert bool(done.stdout) == (done.returncode == 0), done
        return done.stdout

    def compare(self) -> bool:
        """Ask both; whether the launcher printed what Python does. AssertionError if it may not."""
        os.chdir(self.cwd)
        before, printed, after = self.by_python(), self.by_launcher(), self.by_python()
        # Both, as a moment may come in between.
        assert printed in (b"", before, after), (before, after, self.path.read_bytes())
        return bool(printed)


def truncations(world: World, step: int) -> Iterator[str]:
    """Cut the entry at every ``step``-th byte, and flip a bit in every such byte."""
    whole = cache.encode(world.entry)
    for at in range(0, len(whole), step):
        world.store(whole[:at])
        yield f"cut at {at}"
        world.store(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        yield f"flipped at {at}"


def changes(world: World) -> Iterator[tuple[str, bool | None]]:
    """Change one thing after the other; with each whether it is printed, None for either."""
    for change, printed in _CHANGES:
        world.reset()
        change(world)
        yield getattr(change, "__name__", "change"), printed


def random_entry(world: World, draw: random.Random) -> None:
    """Store the entry with parts of it changed at random, and with its checksum right."""
    entry = world.made()
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        name = draw.choice(["witnesses"] * 6 + ["key", "document", "times", "failure", "words"])
        if name == "times":
            time_of = draw.choice(["issued", "ahead", "now", "look", "expiration"])
            moment = getattr(entry, time_of)
            near = int(time.time()) + draw.choice([-90, -75, -2, 2, 60, 74, 90])
            setattr(entry, time_of, draw.choice([0, near, near, moment + 10**6, 10**18, 10**20]))
        elif name == "words":
            entry.kind = draw.choice(["credentials", "failed", "", "a b", "\u00e9"])
            entry.provider = draw.choice(["chain", "", "x" * 300])
        elif name == "failure":
            entry.failure = draw.choice(["x", "\u00e9", "\0", "a" * 5000])
        else:
            setattr(entry, name, _mutated(getattr(entry, name), draw))
    data = cache.encode(entry)
    if draw.random() < 0.2:  # the second line, with its checksum
        head, _, body = data.partition(b"\n")
        line, _, rest = body.partition(b"\n")
        body = _mutated(line, draw) + b"\n" + rest
        head = b"%s %s %s %d" % (
            cache.MAGIC, cache.VERSION, cache.fingerprint(body).encode(), len(body),
        )  # fmt: skip
        data = head + b"\n" + body
    world.store(data)


def _mutated(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    kind = draw.randrange(6)
    if kind == 0:
        return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + draw.randrange(1, 20) :]
    if kind == 2:
        token = draw.choice([b"\0", b" ", b"  ", b"-1", b"+1", b"0", b"9" * 25, b"file ", b"\n"])
        return data[:at] + token + data[at:]
    if kind == 3:
        return data[:at]
    records = data.split(b"\0")
    one, other = draw.randrange(len(records)), draw.randrange(len(records))
    if kind == 4:
        records[one], records[other] = records[other], records[one]
    else:
        words = records[one].split(b" ")
        words[draw.randrange(len(words))] = draw.choice([b"", b"0", b"1", b"host", b"x", b"1_0"])
        records[one] = b" ".join(words)
    return b"\0".join(records)


def _variable(name: str, value: str) -> Callable[[World], None]:
    """Set a variable after the entry was stored."""

    def change(world: World) -> None:
        world.environ[name] = value

    change.__name__ = f"{name}={value}"
    return change


def _with(name: str, value: str) -> Callable[[World], None]:
    """Set a variable, and store an entry of the invocation with it."""

    def change(world: World) -> None:
        world.environ[name] = value
        world.entry = world.made()
        world.store()

    change.__name__ = f"{name}={value}, stored"
    return change


def _arguments(*argv: str, stored: bool = True) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.argv = [word.replace("CACHE", str(world.path.parent)) for word in argv]
        if stored:
            world.entry = world.made()
            world.store()

    change.__name__ = f"{argv}, stored: {stored}"[:60]
    return change


def _entry(**fields: object) -> Callable[[World], None]:
    """Store the entry with other fields; numbers are seconds from now."""

    def change(world: World) -> None:
        for name, value in fields.items():
            moment = int(time.time()) + value if isinstance(value, int) else value
            setattr(world.entry, name, moment)
        world.store()

    change.__name__ = str(fields)
    return change


def _file(work: Callable[[World, Path], object]) -> Callable[[World], object]:
    """Do something to the config file."""
    return lambda world: work(world, world.home / ".aws" / "config")


def _cache(work: Callable[[World, Path], object]) -> Callable[[World], object]:
    """Do something to the entry's file."""
    return lambda world: work(world, world.path)


def _replaced(path: Path, data: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(data)
    new.replace(path)


def _linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _whole_seconds(world: World) -> None:
    records = world.entry.witnesses.split(b"\0")
    words = records[0].split(b" ")
    words[5] = b"%d" % (int(words[5]) // 10**9 * 10**9)
    world.entry.witnesses = b"\0".join([b" ".join(words), *records[1:]])
    world.store()


def _other_folder(world: World) -> None:
    world.cwd = world.home


_CHANGES: list[tuple[Callable[[World], object], bool | None]] = [
    (lambda _: None, True),
    # The entry's times.
    (_entry(ahead=-5), False),
    (_entry(ahead=-5, now=-5), False),
    (_entry(ahead=-5, look=60), True),
    (_entry(ahead=-5, look=90), False),
    (_entry(issued=30), False),
    (_entry(expiration=-1), False),
    (_entry(document=b""), False),
    (_entry(failure="it failed once"), True),
    (_entry(failure="\u00e9"), None),
    # What it is stored under, and what is stored.
    (_entry(key=b"other"), False),
    (lambda world: world.store(cache.encode(world.entry).replace(b" 2 ", b" 3 ", 1)), False),
    (lambda world: world.store(b""), False),
    (lambda world: world.store(b"x" * (cache.MAX_ENTRY + 1)), False),
    (lambda world: world.store(mode=0o640), False),
    (lambda world: world.store(mode=0o400), True),
    (_cache(lambda _, path: path.with_name("other").hardlink_to(path)), False),
    (_cache(lambda _, path: _linked(path)), False),
    (_cache(lambda _, path: _fifo(path)), False),
    (_cache(lambda _, path: path.parent.chmod(0o750)), False),
    (_cache(lambda _, path: path.parent.parent.chmod(0o777)), False),
    (_cache(lambda _, path: path.parent.parent.chmod(0o1777)), True),
    (_cache(lambda _, path: _linked(path.parent)), False),
    (_cache(lambda _, path: _linked(path.parent.parent)), True),
    # What it depended on.
    (_file(lambda _, path: os.utime(path)), True),
    (_file(lambda _, path: path.write_bytes(path.read_bytes())), True),
    (_file(lambda _, path: _replaced(path, path.read_bytes())), True),
    (_file(lambda _, path: _replaced(path, path.read_bytes().replace(b"west", b"east"))), False),
    (_file(lambda _, path: path.write_text("[profile config]\n")), False),
    (_file(lambda _, path: path.unlink()), False),
    (_file(lambda _, path: _fifo(path)), False),
    (_file(lambda _, path: path.with_name("absent").touch()), False),
    (_file(lambda _, path: path.with_name("absent").symlink_to("absent")), False),
    (_file(lambda _, path: path.with_name("absent").symlink_to("nowhere")), True),
    (_whole_seconds, True),
    (_other_folder, False),
    # Variables.
    *((_variable(name, "value"), name in ("XDG_RUNTIME_DIR", "LANG")) for name in (
        *answer.VARIABLES, "OTHER2", "MISSING", "XDG_RUNTIME_DIR", "LANG", "CREDPROC_LOG",
    ) if name not in ("HOME", "OTHER2")),
    *((_variable(name, ""), name != "AWS_REGION") for name in answer.VARIABLES if name != "HOME"),
    *((_with(name, "value"), True) for name in answer.VARIABLES if name != "HOME"),
    *((_with(name, "https://me:pw@host/"), True) for name in answer.VARIABLES if name != "HOME"),
    (_with("AWS_PROFILE", "me@example.com"), True),
    (_with("AWS_PROFILE", "\udce9t\u00e9"), True),
    (_variable("OTHER", "changed"), False),
    (_variable("OTHER", ""), False),
    (_variable("MISSING", ""), True),
    (_variable("ANDROID_DATA", "/data"), False),
    (_variable("XDG_CACHE_HOME", "relative"), False),
    (_variable("XDG_CACHE_HOME", "/elsewhere"), False),
    (_variable("CREDPROC_CACHE_DIR", "relative"), False),
    (_variable("CREDPROC_CACHE_DIR", "/" + "x" * 5000), False),
    # Arguments.
    (_arguments(), True),
    (_arguments("--imds", "", "a b", "\udce9"), True),
    (_arguments("x" * 60_000), True),
    (_arguments(*["x" * 60_000] * 3), None),
    (_arguments("--cache-dir", "CACHE"), True),
    (_arguments("--cache-dir=CACHE"), True),
    (_arguments("--cache-dir=CACHE//"), True),
    (_arguments("--cache-dir", "/nowhere", "--cache-dir", "CACHE"), True),
    (_arguments("--cache-dir", "CACHE", "--cache-dir=", "--imds"), True),
    (_arguments("--cache-dir", "CACHE", "--cache-dir"), True),
    (_arguments("--cache-dir", "relative"), False),
    (_arguments("--role-arn", "other", stored=False), False),
    *((_arguments(word), False) for word in answer.ONCE),
]  # fmt: skip
