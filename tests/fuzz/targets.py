"""What is fuzzed: each target takes what chance has made, and raises if a promise is broken."""

from __future__ import annotations

import contextlib
import json
import random
import time
from typing import TYPE_CHECKING

from credproc import answer, cache, credentials, options
from credproc.deadline import Deadline
from credproc.errors import CredprocError, RequestError, TextRequested, UsageError, clean
from credproc.log import Log
from credproc.mfa import Mfa
from credproc.providers import imds, imdssettings, metadata
from credproc.providers.http import HttpError
from credproc.providers.profile import roles
from credproc.providers.sts import load_config
from credproc.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/app"
CREDENTIALS = {
    "Code": "Success",
    "LastUpdated": "2026-11-24T00:00:00Z",
    "Type": "AWS-HMAC",
    "AccessKeyId": "ASIAEXAMPLEEXAMPLE23",
    "SecretAccessKey": "fuzzedSecret/0123456789abcdef+0123456789",
    "Token": "fuzzedToken" + "Zk3/vP8+" * 20,
    "Expiration": "2026-11-24T06:00:00Z",
}
CONFIG = """\
[default]
region = eu-central-1
[profile app]
role_arn = arn:aws:iam::123456789012:role/app
source_profile = laptop
duration_seconds = 3600
external_id = 42
mfa_serial = arn:aws:iam::123456789012:mfa/laptop
ec2_metadata_service_endpoint = http://127.0.0.1:8080
metadata_service_timeout = 2
[profile laptop]
aws_access_key_id = AKIAEXAMPLEEXAMPLE23
aws_secret_access_key = fuzzed
[sso-session corp]
sso_region = eu-central-1
s3 =
    max_concurrent_requests = 20
"""
WORDS = [
    "--imds", "--imds=app", "--imds=", "app", "--role-arn", ROLE, f"--role-arn={ROLE}", "--source",
    "env", "imds",
    "profile:laptop", "container", "--profile", "app", "--external-id", "42", "--duration-seconds",
    "3600", "99999", "--policy", "{}", '{"Version":"2012-10-17"}', "--policy-arn",
    "arn:aws:iam::aws:policy/ReadOnlyAccess", "--tag", "a=b", "--transitive-tag-key", "a",
    "--source-identity", "me", "--serial-number", "arn:aws:iam::1:mfa/x", "--sts-region",
    "eu-central-1", "--mfa-command", "pass otp aws", "--format", "env", "fish", "--field",
    "AccessKeyId", "--refresh", "--no-cache", "--cache-dir", "/tmp/x", "x/y", "--timeout", "5",
    "0.5", "-v", "--verbose", "--role-session-name", "me@host", "-", "--", "", "=", "-x", "--rol",
    "\N{LATIN SMALL LETTER E WITH ACUTE}", "\udcff", "a b", "-1",
]  # fmt: skip


class Chance:
    """Everything that is random, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def mutated(self, data: bytes) -> bytes:
        """Return the bytes after one or a few changes."""
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            data = self.random.choice(CHANGES)(self.random, data)
        return data


def _flip(chance: random.Random, data: bytes) -> bytes:
    if not data:
        return b"\0"
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _insert(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    new = chance.choice(
        (
            b"\0",
            b"\n",
            b" ",
            b"-1",
            b"9" * 30,
            b"\xff\xfe",
            b'"',
            b"}",
            b"[",
            b"=",
            b"\r\n",
            b"\xc3",
        )
    )
    return data[:at] + new + data[at:]


def _remove(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.randrange(1, 20) :]


def _repeat(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data) + 1)
    part = data[start : start + chance.randrange(1, 60)]
    return data[:start] + part * chance.choice((2, 3, 50)) + data[start:]


def _noise(chance: random.Random, data: bytes) -> bytes:
    return chance.randbytes(chance.randrange(64))


CHANGES = (_flip, _flip, _cut, _insert, _insert, _remove, _repeat, _noise)


def check(error: Exception) -> None:
    """AssertionError unless the error's words are fit for a terminal."""
    said = clean(str(error))
    assert said.isprintable(), said
    said.encode("utf-8")


def entries(folder: Path) -> Callable[[Chance], bool]:
    """A file in the cache is a whole entry, or none; never something between."""
    entry = cache.Entry(b"1\0imds\0\0AWS_PROFILE=x")
    entry.provider = "imds"
    entry.document = json.dumps(CREDENTIALS).encode() + b"\n"
    entry.issued, entry.expiration = 1_790_000_000, 1_790_021_600
    entry.ahead, entry.now, entry.look = 1_790_019_800, 1_790_020_640, 0
    good = cache.encode(entry)
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{cache.fingerprint(entry.key)}.entry"
    store = cache.Cache(str(folder))

    def run(chance: Chance) -> bool:
        data = chance.mutated(good)
        if chance.random.randrange(4) == 0:  # a body that fits its checksum: the rest is looked at
            _, _, body = data.partition(b"\n")
            mark = cache.fingerprint(body).encode()
            data = b"credproc-entry 2 %s %d\n" % (mark, len(body)) + body
            found = cache.decode(data)
            if found is not None:
                assert cache.decode(cache.encode(found)) == found
                found.judge(1_790_000_001.5)
            return found is not None
        path.touch(mode=0o600)
        path.write_bytes(data)
        found = store.read(entry.key)
        assert (found is None) == (data != good), data
        return found is not None

    return run


def answers(folder: Path) -> Callable[[Chance], bool]:
    """An answer of IMDS is credentials, a fault, or a failure in words that hold no secret."""
    good = json.dumps(CREDENTIALS, indent=2).encode()

    def run(chance: Chance) -> bool:
        data = chance.mutated(good)
        for read in (metadata._read_token, metadata._read_name):
            with contextlib.suppress(HttpError):
                read(data)
        try:
            answer = metadata._read_object(data)
            found = imds._credentials(answer, "app", [])
        except (HttpError, CredprocError) as error:
            check(error)
            if "fuzzedSecret/" in str(error) or "fuzzedToken" in str(error):
                raise AssertionError(f"a secret is in {error}") from error
            return False
        document = credentials.document(found)
        assert document.isascii()
        assert document.count(b"\n") == 1
        assert credentials.from_document(document, "imds").token == found.token
        return True

    return run


def arguments(folder: Path) -> Callable[[Chance], bool]:
    """A command line is read, or refused in words."""

    def run(chance: Chance) -> bool:
        argv = [chance.random.choice(WORDS) for _ in range(chance.random.randrange(9))]
        if argv and chance.random.randrange(3) == 0:
            at = chance.random.randrange(len(argv))
            word = chance.mutated(argv[at].encode("utf-8", "surrogateescape"))
            argv[at] = word.replace(b"\0", b"").decode("utf-8", "surrogateescape")
        try:
            parsed = options.parse(argv)
        except TextRequested:
            return True
        except UsageError as error:
            check(error)
            return False
        assert answer.option(argv, "--cache-dir") == parsed.cache_dir, argv
        return True

    return run


def a_run(environ: dict[str, str]) -> Run:
    """Return a run in that environment."""
    return Run(environ, Deadline(10), Log("", time.time), Mfa("", environ))


def configs(folder: Path) -> Callable[[Chance], bool]:
    """A shared config is read, or refused in words; never a traceback."""
    folder.mkdir(exist_ok=True)
    config = folder / "config"

    def run(chance: Chance) -> bool:
        config.write_bytes(chance.mutated(CONFIG.encode()))
        environ = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "app"}
        good = True
        try:
            imdssettings.settings(environ, lambda text: None)
        except CredprocError as error:
            check(error)
            good = False
        try:
            roles(load_config(a_run(environ), "app"), "app")
        except RequestError as error:
            check(error)
            good = False
        return good

    return run


def messages(folder: Path) -> Callable[[Chance], bool]:
    """Whatever a server says becomes one printable line without a part of a secret."""
    secrets = [CREDENTIALS["SecretAccessKey"], CREDENTIALS["Token"]]
    text = f"AccessDenied: {secrets[0]} is not {secrets[1]}".encode()

    def run(chance: Chance) -> bool:
        said = clean(chance.mutated(text).decode("utf-8", "surrogateescape"), secrets)
        assert said.isprintable(), said
        said.encode("utf-8")
        for secret in secrets:
            for start in range(len(said) - 7):
                assert said[start : start + 8] not in secret, said
        return "[secret]" in said

    return run


#: Name to what makes the target, given a folder of its own.
MAKERS: dict[str, Callable[[Path], Callable[[Chance], bool]]] = {
    "entries": entries,
    "imds": answers,
    "argv": arguments,
    "config": configs,
    "messages": messages,
}
