"""Pairs of worlds that share a cache: credproc must say in each what it says without a cache.

    python -m tests.worlds [--kinds] [--pairs N] [--seed S]

A world is a command line, variables, files with their times, a directory, a home, an instance, a
container, a sign-in. The second world of a pair differs from the first in one to three of these.
Both run with one cache, then without; a run's identity is its access key, which the servers make of
all that they were sent. Checked is that no run has another identity than without a cache, and
that STS, the portal and the container get each request once, whichever of the runs needs it.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Any, ClassVar

from credproc import __main__ as command
from credproc import cli
from credproc.providers import container, imds, resolved
from credproc.providers.chain import Chain

#: Loaded before the runs are forked, so that each takes some milliseconds.
LOADED = (cli, Chain, container, imds, resolved)

END = "2099-01-01T00:00:00Z"
LIFE = 3000
A, B = "arn:aws:iam::111122223333:role/a", "arn:aws:iam::444455556666:role/b"
ACCOUNTS = ("111122223333", "444455556666")
KEYS = ("AKIAAAAAAAAAAAAAAAAA", "AKIABBBBBBBBBBBBBBBB")


def key_of(*parts: str) -> str:
    """Return an access key that tells who it is for."""
    return "ASIA" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:16].upper()


def soon() -> str:
    """Return when sessions expire."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFE))


class Handler(http.server.BaseHTTPRequestHandler):
    """Two instances, an STS and an SSO portal, told apart by the first part of the path."""

    protocol_version = "HTTP/1.1"
    log: int

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def reply(self, body: str, status: int = 200, kind: str = "application/json") -> None:
        """Answer."""
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def note(self, key: str) -> None:
        """Write down what was issued."""
        os.write(self.log, f"{key}\n".encode())

    def do_PUT(self) -> None:
        """Give a token."""
        self.reply("TOKEN")

    def do_GET(self) -> None:
        """Give an instance's role, a container's, or an SSO role."""
        place, _, rest = self.path.lstrip("/").partition("/")
        if rest.endswith("security-credentials/"):
            self.reply("app")
        elif rest.endswith("security-credentials/app"):
            self.reply(json.dumps({
                "Code": "Success", "AccessKeyId": key_of("imds", place),
                "SecretAccessKey": "i" * 40, "Token": "I" * 40, "Expiration": soon(),
            }))  # fmt: skip
        elif place == "task":
            key = key_of("task", rest, self.headers.get("Authorization", ""))
            self.note(key)
            self.reply(json.dumps({
                "AccessKeyId": key, "SecretAccessKey": "t" * 40, "Token": "T" * 40,
                "Expiration": soon(),
            }))  # fmt: skip
        elif "federation/credentials" in rest:
            parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            person = self.headers.get("x-amz-sso_bearer_token", "")
            key = key_of("sso", person, *parameters.values())
            self.note(key)
            self.reply(json.dumps({"roleCredentials": {
                "accessKeyId": key, "secretAccessKey": "s" * 40, "sessionToken": "S" * 40,
                "expiration": int((time.time() + LIFE) * 1000),
            }}))  # fmt: skip
        else:
            self.reply("no", 404)

    def do_POST(self) -> None:
        """Assume a role."""
        parameters = dict(urllib.parse.parse_qsl(self.rfile.read(
            int(self.headers["Content-Length"])).decode()))  # fmt: skip
        caller = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        names = ("RoleArn", "ExternalId", "DurationSeconds", "WebIdentityToken", "Policy")
        # Whose session it is counts, and not the host name, which a laptop changes every day.
        user = parameters["RoleSessionName"].split("-")[1]
        key = key_of("sts", caller, user, *(parameters.get(name, "") for name in names))
        self.note(key)
        action = parameters["Action"]
        self.reply(
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>"
            f"{'s' * 40}</SecretAccessKey><SessionToken>{'S' * 40}</SessionToken><Expiration>"
            f"{soon()}</Expiration></Credentials></{action}Result><ResponseMetadata><RequestId>r"
            f"</RequestId></ResponseMetadata></{action}Response>",
            kind="text/xml",
        )


class World:
    """What a run finds: each field is drawn from its choices."""

    CHOICES: ClassVar[dict[str, list[Any]]] = {
        "argv": [
            ["--imds"], ["--imds", "app"], [], ["--profile", "role"], ["--profile", "instance"],
            ["--profile", "chain"], ["--profile", "web"], ["--profile", "helper"],
            ["--profile", "sso"], ["--profile", "sso-role"], ["--profile", "cached"],
            ["--role-arn", A, "--source", "imds"], ["--role-arn", A, "--source", "env"],
            ["--role-arn", A, "--source", "web-identity"],
            ["--role-arn", A, "--source", "profile:base"],
            ["--role-arn", A, "--source", "profile:helper"],
            ["--imds", "--profile", "role"], ["--profile", "script"],
            ["--role-arn", A, "--source", "container"],
            ["--role-arn", A, "--source", "profile:base", "--policy", "file://policy"],
        ],
        "more": [[], [], [], ["--format", "env"], ["--timeout", "30"]],
        "account": [0, 1],
        "external": ["", "42"],
        "key": [0, 1],
        "directory": ["one", "two"],
        "moved": ["", "", "here"],
        "home": ["one", "two"],
        "config": ["", "", "relative", "variable", "link", "inside"],
        "policy": ["ListAllBuckets", "DenyAllBuckets"],
        "task": ["one", "two"],
        "token": ["tokenone", "tokentwo"],
        "person": ["ann", "bob"],
        "document": ["helpone", "helptwo"],
        "instance": ["one", "two"],
        "own": ["", "one", "two"],
        "host": ["alpha", "beta"],
        "region": ["", "eu-west-1", "us-east-1"],
        "profile": ["", "default", "base", "instance"],
        "disabled": ["", "true"],
        "env_key": [0, 1],
        "user": ["ann", "bob"],
        "other": ["", "[profile other]\nregion = us-west-2\n"],
        "replaced": ["rename", "rewrite"],
        "umask": [0o022, 0o077, 0o777],
        "noise": ["", "AWS_CA_BUNDLE", "NO_PROXY", "AWS_MAX_ATTEMPTS", "TERM"],
    }  # fmt: skip

    def __init__(self, chance: random.Random) -> None:
        self.drawn = {name: chance.choice(choices) for name, choices in self.CHOICES.items()}

    def changed(self, chance: random.Random) -> World:
        """Return a world that differs in one to three of the fields."""
        other = World(chance)
        names = chance.sample(list(self.CHOICES), chance.choice([1, 1, 2, 3]))
        other.drawn = {
            name: other.drawn[name] if name in names else value
            for name, value in self.drawn.items()
        }
        return other

    @property
    def has_helper(self) -> bool:
        """Whether a helper gives the first credentials."""
        return any(
            word in ("helper", "cached", "script", "profile:helper") for word in self.drawn["argv"]
        )

    @property
    def needs_imds(self) -> bool:
        """Whether the instance's role may give the first credentials."""
        argv = self.drawn["argv"]
        return not argv or any("imds" in word or word == "instance" for word in argv)

    def config(self, url: str, other: int = 0) -> str:
        """Return the config file; of ``other`` 1, one that leads to the other account."""
        has = self.drawn
        account = ACCOUNTS[has["account"] ^ other]
        external = f"external_id = {has['external']}\n" if has["external"] else ""
        own = f"ec2_metadata_service_endpoint = {url}/{has['own']}\n" if has["own"] else ""
        role = f"role_arn = arn:aws:iam::{account}:role/r\n"
        return (
            f"[default]\n[profile base]\naws_access_key_id = {KEYS[has['key'] ^ other]}\n"
            f"aws_secret_access_key = {'k' * 40}\n"
            f"[profile role]\n{role}source_profile = base\n{external}"
            f"[profile chain]\nrole_arn = {B}\nsource_profile = role\n"
            f"[profile instance]\n{role}credential_source = Ec2InstanceMetadata\n{own}"
            f"[profile web]\n{role}web_identity_token_file = token\n"
            "[profile helper]\ncredential_process = cat creds.json\n"
            "[profile script]\ncredential_process = ./give\n"
            f"[profile cached]\ncredential_process = {sys.executable} -m credproc --no-cache\n"
            "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\n"
            "sso_role_name = dev\n"
            "[profile sso-role]\n" + role + "source_profile = sso\n"
            "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example\n"
            f"{has['other']}"
        )

    def home(self, folder: Path) -> Path:
        """Return the home."""
        return folder / f"home-{self.drawn['home']}"

    def here(self, folder: Path) -> Path:
        """Return the working directory: under its own name, or where another one may have been."""
        return folder / str(self.drawn["moved"] or self.drawn["directory"])

    def write(self, folder: Path, url: str) -> None:
        """Write the files, all with the time 1, and move the directory to its place."""
        has = self.drawn
        for name in ("one", "two"):
            if (folder / "here" / name).exists():
                (folder / "here").rename(folder / name)
            (folder / name).mkdir(exist_ok=True)
            (folder / name / name).touch()
        here, aws = folder / has["directory"], self.home(folder) / ".aws"
        (aws / "sso" / "cache").mkdir(parents=True, exist_ok=True)
        stem = hashlib.sha1(b"corp", usedforsecurity=False).hexdigest()
        is_two = int(has["directory"] == "two")
        self._link(aws / "config", folder)
        helped = json.dumps({
            "Version": 1, "AccessKeyId": key_of("helper", has["document"], has["directory"]),
            "SecretAccessKey": "h" * 40, "SessionToken": "H" * 40, "Expiration": END,
        })  # fmt: skip
        allowed = {"Effect": has["policy"][:4], "Action": "s3:*", "Resource": "*"}
        files = {
            aws / "config": self.config(url, int(has["home"] == "two")),
            here / "config": self.config(url, is_two),
            here / "token": f"{has['token']}-{has['directory']}",
            folder / "token": has["token"],
            here / "creds.json": helped,
            here / "give": f"#!/bin/sh\ncat <<'END'\n{helped}\nEND\n",
            here / "policy": json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
            aws / "sso" / "cache" / f"{stem}.json": json.dumps({
                "startUrl": "https://corp.example", "region": "eu-west-1",
                "accessToken": has["person"], "expiresAt": END,
            }),
        }  # fmt: skip
        for path, text in ((path.resolve(), text) for path, text in files.items()):
            if has["replaced"] == "rename":
                new = path.with_suffix(".new")
                new.write_text(text)
                new.chmod(0o700)
                os.utime(new, (1, 1))
                new.replace(path)
            else:
                path.write_text(text)
                path.chmod(0o700)
                os.utime(path, (1, 1))
        if has["moved"]:
            here.rename(folder / "here")

    def _link(self, config: Path, folder: Path) -> None:
        """Make the config file a link where it is one, or a file of its own."""
        config.unlink(missing_ok=True)
        if self.drawn["config"] == "link":
            target = folder / f"config-{self.drawn['account']}"
            target.touch()
            config.symlink_to(target)

    def environ(self, folder: Path, url: str) -> dict[str, str]:
        """Return the environment."""
        has = self.drawn
        found = {
            "PATH": os.environ["PATH"], "HOME": str(self.home(folder)), "LOGNAME": has["user"],
            "CREDPROC_CACHE_DIR": str(folder / "cache"),
            "AWS_ENDPOINT_URL_STS": url, "AWS_ENDPOINT_URL_SSO": f"{url}/portal",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{url}/{has['instance']}",
            "AWS_ACCESS_KEY_ID": KEYS[has["env_key"]], "AWS_SECRET_ACCESS_KEY": "k" * 40,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"), "AWS_ROLE_ARN": B,
            "AWS_REGION": has["region"], "AWS_PROFILE": has["profile"],
            "AWS_EC2_METADATA_DISABLED": has["disabled"], "PYTHONPATH": ":".join(sys.path),
        }  # fmt: skip
        found |= {
            "relative": {"AWS_CONFIG_FILE": "config"},
            "variable": {"AWS_CONFIG_FILE": "$PLACE/config", "PLACE": str(self.here(folder))},
            "inside": {"AWS_CONFIG_FILE": str(self.here(folder) / "config")},
        }.get(has["config"], {})
        if has["noise"]:
            found[has["noise"]] = "1"
        argv = self.drawn["argv"]
        if "container" in argv:
            found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/task/{has['task']}"
            found["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "token"
        if "web-identity" not in argv:
            del found["AWS_WEB_IDENTITY_TOKEN_FILE"], found["AWS_ROLE_ARN"]
        if has["own"] and "instance" in argv:
            del found["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
        return {name: value for name, value in found.items() if value}


#: Pairs that differ in one field, each by what it shows: arguments, the field, other fields.
KINDS: dict[str, tuple[list[str], str, dict[str, Any]]] = {
    "instance of a profile": (["--profile", "instance"], "instance", {}),
    "instance of a chain": (["--role-arn", A, "--source", "imds"], "instance", {}),
    "instance of a helper": (["--profile", "cached"], "instance", {}),
    "config file of the same size and time": (["--profile", "role"], "account", {}),
    "config file that was written over": (["--profile", "chain"], "key", {"replaced": "rewrite"}),
    "link that leads elsewhere": (["--profile", "role"], "account", {"config": "link"}),
    "token of a profile": (["--profile", "web"], "token", {}),
    "token": (["--role-arn", A, "--source", "web-identity"], "token", {}),
    "token in a directory": (["--profile", "web"], "directory", {}),
    "helper in a directory": (["--profile", "script"], "directory", {}),
    "config file in a directory": (["--profile", "role"], "directory", {"config": "relative"}),
    "directory in the place of another": (["--profile", "web"], "directory", {"moved": "here"}),
    "path with a variable": (["--profile", "role"], "directory", {"config": "variable"}),
    "home": (["--profile", "role"], "home", {}),
    "file that a helper reads": (["--profile", "helper"], "document", {}),
    "sign-in": (["--profile", "sso"], "person", {}),
    "sign-in of a role": (["--profile", "sso-role"], "person", {}),
    "IMDS endpoint of a profile": (["--profile", "instance"], "own", {"own": "one"}),
    "user of a web identity": (["--role-arn", A, "--source", "web-identity"], "user", {}),
    "container": (["--role-arn", A, "--source", "container"], "task", {}),
    "token of a container": (["--role-arn", A, "--source", "container"], "token", {}),
    "policy in a file": (
        ["--role-arn", A, "--source", "profile:base", "--policy", "file://policy"], "policy", {},
    ),
}  # fmt: skip


def kind(name: str) -> tuple[World, World]:
    """Return the pair of a kind."""
    argv, field, more = KINDS[name]
    drawn = {name: choices[0] for name, choices in World.CHOICES.items()} | more
    worlds = World(random.Random(0)), World(random.Random(0))
    for world, value in zip(worlds, World.CHOICES[field][-2:], strict=True):
        world.drawn = {**drawn, "argv": argv, field: value}
    return worlds


class Pair:
    """Two worlds in one home, with one cache."""

    def __init__(self, folder: Path, url: str, log: Path, is_root: bool) -> None:
        self.folder = folder
        self.url = url
        self.log = log
        self.is_root = is_root

    def run(self, world: World, *more: str) -> tuple[str, list[str]]:
        """Run credproc in a world; return the identity that it printed, and what was issued."""
        before = self.log.stat().st_size
        world.write(self.folder, self.url)
        argv = [*world.drawn["argv"], *world.drawn["more"], *more]
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            self._become(world, argv, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            said = file.read()
        _, status = os.waitpid(child, 0)
        with self.log.open() as file:
            file.seek(before)
            issued = file.read().split()
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, 1, 2), f"a run of {argv} ended with {code}"
        assert bool(_identity(said)) == (code == 0), said
        return _identity(said) or f"status {code}", issued

    def _become(self, world: World, argv: list[str], writing: int) -> None:
        try:
            os.dup2(writing, 1)
            os.dup2(os.open(os.devnull, os.O_RDWR), 2)
            if self.is_root:
                _rename(world.drawn["host"])
            environ = world.environ(self.folder, self.url)
            os.environ.clear()
            os.environ.update(environ)
            os.chdir(world.here(self.folder))
            os.umask(world.drawn["umask"])
            os._exit(command.run(argv, os.environ))
        finally:
            os._exit(99)

    def problem(self, one: World, two: World, differ: bool = False) -> str:
        """Return what is wrong in this pair, or ""; ``differ``: it must have two identities."""
        cached = [self.run(one), self.run(two), self.run(one), self.run(two)]
        plain = [self.run(one, "--no-cache"), self.run(two, "--no-cache")]
        if differ and (plain[0][0] == plain[1][0] or plain[0][0].startswith("status")):
            return f"both are {plain[0][0]}, so that it shows nothing"
        for number, (identity, _) in enumerate(cached):
            if identity != plain[number % 2][0]:
                return f"run {number}: {identity} instead of {plain[number % 2][0]}"
        issued = [key for _, keys in cached for key in keys]
        needed = {key for _, keys in plain for key in keys}
        # A call that fails may be repeated; what a helper reads is not known, so any variable makes
        # it another session; another host name may be another instance.
        may_repeat = (
            any(identity.startswith("status") for identity, _ in cached)
            or one.has_helper
            or two.has_helper
            or (one.drawn["host"] != two.drawn["host"] and (one.needs_imds or two.needs_imds))
        )
        if not may_repeat and sorted(issued) != sorted(needed):
            return f"{len(issued)} requests where {len(needed)} would do"
        return ""


def _identity(said: bytes) -> str:
    """Return the access key in a document or in variables."""
    text = said.decode()
    place = text.find("ASIA") if "ASIA" in text else text.find("AKIA")
    return text[place : place + 20] if place >= 0 else ""


def _rename(name: str) -> None:
    """Give this process a host name of its own."""
    import ctypes

    if ctypes.CDLL(None).unshare(0x04000000) == 0:  # CLONE_NEWUTS
        import socket

        socket.sethostname(name)


def serve(log: Path) -> tuple[int, str]:
    """Start the servers in a process of their own; return its number and their address."""
    Handler.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    child = os.fork()
    if not child:
        Handler.protocol_version = "HTTP/1.0"
        server.serve_forever()
    server.server_close()
    return child, f"http://127.0.0.1:{server.server_port}"


def main() -> int:
    """Try pairs; return how many are wrong."""
    parser = argparse.ArgumentParser(description="Try pairs of worlds that share a cache.")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kinds", action="store_true", help="first a pair of each kind")
    given = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="credproc-worlds-") as name:
        log = Path(name) / "issued"
        child, url = serve(log)
        try:
            for number in range(-len(KINDS) * given.kinds, given.pairs):
                chance = random.Random(given.seed * 1_000_000 + number)
                home = Path(name) / "home"
                home.mkdir(mode=0o700)
                one = World(chance)
                two = one.changed(chance)
                what = f"pair {number}"
                if number < 0:
                    what = list(KINDS)[number]
                    one, two = kind(what)
                said = Pair(home, url, log, os.geteuid() == 0).problem(one, two, number < 0)
                shutil.rmtree(home)
                if said:
                    wrong += 1
                    changes = {k: (v, two.drawn[k]) for k, v in one.drawn.items()
                               if two.drawn[k] != v}  # fmt: skip
                    print(f"{what}: {said}\n  {one.drawn}\n  changes: {changes}", flush=True)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    print(f"{given.pairs} pairs, seed {given.seed}: {wrong} wrong")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
