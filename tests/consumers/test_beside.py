"""Other keys beside credential_process: whose credentials each consumer uses in the end.

The tests run where no packet can leave: some of them want to ask AWS's own STS.
"""

from __future__ import annotations

import contextlib
import shlex
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests import readme
from tests.cloud import ONE
from tests.consumers import world as worlds
from tests.consumers.asking import NAMES
from tests.consumers.beside import (
    CHAIN,
    CREDPROC,
    ERROR,
    INSTANCE,
    JAVASCRIPT,
    KNOWN,
    ROLE,
    STRAYS,
    UNKNOWN,
    Taken,
    rows,
)
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.every import ELSEWHERE
from tests.consumers.world import World, run
from tests.network import Network
from tests.servers.signature import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.consumers.install import Installed
    from tests.harness import Result

    Get = Callable[[Consumer], Installed]

pytestmark = [pytest.mark.consumer, *ELSEWHERE, pytest.mark.timeout(600)]

STRAY = "AKIASTRAYSTRAYSTRAY1"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = f"aws_access_key_id = {STRAY}\naws_secret_access_key = {SECRET}\n"

OTHERS = [consumer for consumer in CONSUMERS if consumer.name not in NAMES]


class Apart:
    """A user's machine in a network of its own."""

    def __init__(self, network: Network, world: World) -> None:
        self.network = network
        self.world = world

    def write(self, consumer: Consumer, beside: str) -> dict[str, str | None]:
        """Write the profile, and this beside it; return the variables that belong to it."""
        host = self.world.host
        line = f"credential_process = {shlex.join([str(self.world.plain), 'mark'])}\n"
        texts = {"config": "[profile app]\nregion = eu-central-1\n", "credentials": "[app]\n"}
        texts[consumer.file] += line
        files = {
            "config": host.config(texts["config"]),
            "credentials": host.credentials(texts["credentials"]),
        }
        added = {"credentials": KEYS, "config": KEYS, "role": f"role_arn = {ONE}\n"}
        if beside == "variables":
            return {"AWS_ACCESS_KEY_ID": STRAY, "AWS_SECRET_ACCESS_KEY": SECRET}
        path = files[consumer.file if beside == "role" else beside]
        path.write_text(path.read_text() + added[beside])
        return {}

    def taken(self, result: Result) -> str:
        """Return whose credentials signed the requests, and forget the requests."""
        keys = {key_of(each) for each in self.world.s3.requests}
        keys |= {
            key_of(each) for each in self.world.sts.requests if "AssumeRole" not in each.labels
        }
        runs = self.world.runs
        names = {
            STRAY: STRAYS,
            self.world.imds.current["AccessKeyId"]: CREDPROC if runs else INSTANCE,
            **{issued.access_key: ROLE for issued in self.world.sts.issued},
        }
        self.world.forget()
        if result.status:
            assert not keys, result
            return ERROR
        (key,) = keys
        return names[key]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    with Network() as network, contextlib.ExitStack() as stack:
        try:
            yield Apart(network, network.do(lambda: stack.enter_context(worlds.made(tmp_path))))
        finally:
            network.do(stack.close)


def found(apart: Apart, consumer: Consumer, command: list[str], known: Taken) -> Taken:
    """Return whose credentials the consumer uses, except in cases that are not run."""
    stdin = b"1\n" if consumer.goes_on else None
    taken = {}
    for beside, whose in known._asdict().items():
        if whose == UNKNOWN:
            taken[beside] = UNKNOWN
            continue
        env = {**consumer.env, **apart.write(consumer, beside)}
        result = apart.network.do(partial(run, apart.world, command, env, stdin))
        taken[beside] = apart.taken(result)
    return Taken(**taken)


@pytest.mark.parametrize("consumer", OTHERS, ids=str)
def test_consumer_behaves_as_the_table_says(
    apart: Apart, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    known = KNOWN[consumer.name]

    assert found(apart, consumer, there.command, known) == known, there.version


@pytest.mark.parametrize("consumer", [each for each in OTHERS if each.name == JAVASCRIPT], ids=str)
def test_default_chain_behaves_as_the_table_says(
    apart: Apart, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    command = [*there.command, "fromNodeProviderChain"]

    assert found(apart, consumer, command, KNOWN[CHAIN]) == KNOWN[CHAIN], there.version


def test_manual_agrees_with_the_table_of_the_tests() -> None:
    assert readme.section("Precedence").tables == [rows()]


def test_all_consumers_are_known() -> None:
    assert {consumer.name for consumer in CONSUMERS} <= set(KNOWN)
