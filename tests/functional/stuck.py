"""Runs that are stuck, each in a different place, and how each is released."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers import faults
from tests.servers.base import PATIENCE, Fault, backlog_full
from tests.servers.container import ContainerServer
from tests.servers.sts_errors import error

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/b"
DEVICE = "arn:aws:iam::111122223333:mfa/me"
KEYS: dict[str, Any] = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "0123456789abcdef" * 2,
}
ROLE = ["--role-arn", A, "--source", "env"]
DOCUMENT = {
    "Version": 1,
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "SessionToken": "IQoJb3JpZ2luX2VjEEXAMPLE==",
    "Expiration": "2038-01-19T03:14:07Z",
}

#: A helper with a helper of its own. It tells through the FIFO that both are there.
HELPER = """\
#!/bin/sh
[ -e {folder}/well ] && exec cat {folder}/answer
{prelude}
sleep 300 &
echo "$$ $!" >{folder}/fifo
wait
sleep 300
"""


@dataclass
class Stuck:
    """What to run, how to wait until it is stuck, and how to release it."""

    argv: list[str]
    wait: Callable[[], Any]
    heal: Callable[[], object]
    env: dict[str, Any] = field(default_factory=lambda: dict(KEYS))


@dataclass
class Place:
    """What a stuck run can be stuck in."""

    host: Host
    imds: ImdsServer
    sts: StsServer
    stack: contextlib.ExitStack


def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds; AssertionError if it does not come to that."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.01)


def imds(step: str, fault: Fault) -> Callable[[Place], Stuck]:
    """IMDS does not answer one of its questions."""

    def make(place: Place) -> Stuck:
        place.imds.fail(step, fault)
        return Stuck(["--imds"], lambda: place.imds.wait_for(1, step), place.imds.heal)

    return make


def sts(fault: Fault, role: str = A) -> Callable[[Place], Stuck]:
    """STS answers one role in some way that takes for ever."""

    def make(place: Place) -> Stuck:
        place.sts.fail(fault, role)
        argv = ["--role-arn", A, "--role-arn", B, "--source", "env"]
        return Stuck(argv, lambda: place.sts.wait_for(1, role), place.sts.heal)

    return make


def sts_connection(place: Place) -> Stuck:
    """STS's host takes no connection."""
    url = place.stack.enter_context(backlog_full())
    env = {**KEYS, "AWS_ENDPOINT_URL_STS": url}
    return Stuck(ROLE, lambda: None, lambda: None, env)


def container(place: Place) -> Stuck:
    """The container's endpoint does not answer, to botocore."""
    server = place.stack.enter_context(ContainerServer())
    server.fail(faults.hang())
    argv = ["--role-arn", A, "--source", "container"]
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.full_uri}
    return Stuck(argv, lambda: server.wait_for(1, "creds"), server.heal, env)


def lock(place: Place) -> Stuck:
    """Another run has the lock and does not get on."""
    hold = place.sts.hold(A)
    log = place.host.folder / "waiting.log"
    holder = place.host.start(*ROLE, **KEYS)
    hold.wait_for()

    def heal() -> None:
        hold.release()
        assert holder.wait().status == 0

    stuck = Stuck(ROLE, lambda: until(lambda: "waiting" in log.read_text("utf-8")), heal)
    stuck.env["CREDPROC_LOG"] = str(log)
    log.touch()
    return stuck


def helper(prelude: str, *, mfa: bool = False) -> Callable[[Place], Stuck]:
    """A credential_process or the MFA command sleeps, and so does a process that it started."""

    def make(place: Place) -> Stuck:
        folder = place.host.folder
        script, fifo = folder / "helper", folder / "fifo"
        script.write_text(HELPER.format(folder=folder, prelude=prelude), "ascii")
        script.chmod(0o700)
        answer = "123456" if mfa else json.dumps(DOCUMENT)
        (folder / "answer").write_text(answer, "ascii")
        os.mkfifo(fifo)
        place.host.config(f"[profile p]\ncredential_process = {script}\n")
        argv = ["--profile", "p"]
        if mfa:
            argv = [*ROLE, "--serial-number", DEVICE, "--mfa-command", str(script)]
        return Stuck(argv, fifo.read_bytes, (folder / "well").touch)

    return make


STUCK: dict[str, Callable[[Place], Stuck]] = {
    "imds token": imds("token", faults.hang()),
    "imds drip": imds("creds", faults.drip(0.05)),
    "sts connection": sts_connection,
    "sts": sts(faults.hang()),
    "sts headers": sts(faults.hang_after_headers()),
    "sts body": sts(faults.hang_mid_body()),
    "sts drip": sts(faults.drip(0.05)),
    "sts second hop": sts(faults.hang(), B),
    "sts throttled": sts(error("Throttling")),
    "container": container,
    "lock": lock,
    "helper": helper(""),
    "stubborn helper": helper("trap '' TERM INT"),
    "mfa command": helper("", mfa=True),
    "stubborn mfa command": helper("trap '' TERM INT", mfa=True),
}
