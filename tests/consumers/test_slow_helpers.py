"""Profiles whose credentials are slow to come: fetched once, for all consumers."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.consumers.asking import ASKING, Asker, signers
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.every import ELSEWHERE, every
from tests.consumers.waiting import Waiting
from tests.servers import signin, sso
from tests.servers.rotation import iso, made_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.consumers.install import Installed
    from tests.consumers.world import World
    from tests.servers.base import Hold

    Get = Callable[[Consumer], Installed]

pytestmark = [pytest.mark.consumer, *ELSEWHERE, pytest.mark.timeout(600)]

each = every(ASKING)
#: Consumers that want credentials at the same time.
COUNT = 10
#: Those of them that must have come to wait before the first one gets its answer.
WAITING = 4

#: Notes each of its runs, takes its time, and then waits to be let go.
HELPER = """\
#!/bin/sh
echo run >>{folder}/helper-runs
sleep 2
read -r _ <{folder}/gate
cat {folder}/helper.json
"""
SESSION = "arn:aws:sts::123456789012:assumed-role/admin/ann"


class Gate:
    """A helper waits here until it is released."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self._descriptor = os.open(path, os.O_RDWR)  # a reader is there, so writing never waits

    def release(self) -> None:
        """Release the helper, and all later ones."""
        os.write(self._descriptor, b"go on\n" * 2 * COUNT)

    def close(self) -> None:
        os.close(self._descriptor)


def ask_together_and_again(asker: Asker, held: Hold | Gate) -> set[str]:
    """Let many consumers call at once, and one afterwards; return whose keys they all signed with.

    The first run's request is delayed until other runs wait for it.
    """
    waiting = Waiting(asker.world.host)
    with ThreadPoolExecutor(COUNT) as threads:
        pending = [threads.submit(asker.ask) for _ in range(COUNT)]
        try:
            waiting.come(WAITING)
        finally:
            held.release()
        results = [each.result() for each in pending]
    results.append(asker.ask())

    assert {result.status for result in results} == {0}, results
    assert len(signers(asker.world)) == COUNT + 1
    assert asker.world.runs >= COUNT + 1
    return set(signers(asker.world))


@pytest.fixture
def gate(world: World) -> Iterator[Gate]:
    made = Gate(world.host.folder / "gate")
    yield made
    made.close()


@each
def test_helper_that_takes_two_seconds_is_run_once(asker: Asker, gate: Gate) -> None:
    folder = asker.world.host.folder
    helper = folder / "helper"
    helper.write_text(HELPER.format(folder=folder))
    helper.chmod(0o700)
    known = made_up("a helper")
    document = {
        "Version": 1,
        "AccessKeyId": known["AccessKeyId"],
        "SecretAccessKey": known["SecretAccessKey"],
        "SessionToken": known["Token"],
        "Expiration": iso(time.time() + 3600),
    }
    (folder / "helper.json").write_text(json.dumps(document))
    asker.world.host.config(
        f"[profile app]\ncredential_process = {asker.line} --profile slow\n"
        f"[profile slow]\ncredential_process = {helper}\n"
    )

    assert ask_together_and_again(asker, gate) == {known["AccessKeyId"]}
    assert (folder / "helper-runs").read_text() == "run\n"


@pytest.fixture
def portal(world: World) -> Iterator[sso.SsoPortal]:
    with sso.SsoPortal() as server:
        world.host.environ["AWS_ENDPOINT_URL_SSO"] = server.url
        sso.write_token(world.host.home, "corp", "eu-central-1", time.time() + 3600)
        yield server


@each
def test_login_of_sso_is_exchanged_once(asker: Asker, portal: sso.SsoPortal) -> None:
    asker.world.host.config(
        f"[profile app]\ncredential_process = {asker.line} --profile dev\n"
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\n"
        "sso_role_name = Developer\nregion = eu-central-1\n"
        "[sso-session corp]\nsso_region = eu-central-1\n"
        "sso_start_url = https://portal.example/start\n"
    )

    found = ask_together_and_again(asker, portal.hold("creds"))

    assert found == {portal.current("123456789012", "Developer")["accessKeyId"]}
    assert portal.count("creds") == 1


@pytest.fixture
def service(world: World) -> Iterator[signin.SigninServer]:
    with signin.SigninServer() as server:
        world.host.environ["AWS_ENDPOINT_URL_SIGNIN"] = server.url
        signin.write_token(world.host.home, SESSION, time.time() - 60)
        yield server


@each
def test_login_of_the_console_is_refreshed_once(
    asker: Asker, service: signin.SigninServer, installed: Get
) -> None:
    # botocore needs awscrt for it, which is another consumer here; credproc takes it from there.
    (crt,) = [consumer for consumer in CONSUMERS if consumer.name == "awscrt"]
    python = Path(installed(crt).command[0])
    (library,) = (python.parents[1] / "lib").glob("python3*/site-packages")
    line = f"/usr/bin/env PYTHONPATH={library} {asker.line}"
    asker.world.host.config(
        f"[profile app]\ncredential_process = {line} --profile login\n"
        f"[profile login]\nlogin_session = {SESSION}\nregion = eu-central-1\n"
    )

    found = ask_together_and_again(asker, service.hold("/v1/token"))

    assert found == {service.access_key}
    assert service.count("/v1/token") == 1
