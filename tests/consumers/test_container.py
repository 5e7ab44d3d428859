"""Consumers in a container: the instance's role by way of the node's, and roles of the task's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests import cachedir, readme
from tests.cloud import ONE, TWO
from tests.consumers import world as worlds
from tests.consumers.asking import ASKING, Asker, signers
from tests.consumers.every import every
from tests.network import Network
from tests.servers.container import ContainerServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.consumers.consumer import Consumer
    from tests.consumers.install import Installed
    from tests.consumers.world import World
    from tests.harness import Result

pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

each = every(ASKING, most=1)
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
TOKEN = "canary0123456789abcdefghij"

#: Where ECS answers, and the path that a task has of its own there.
ECS, PATH = "169.254.170.2", "/v2/credentials/3f9c1f3a-6c2b-4d9e-9a51-0c1d2e3f4a5b"


@pytest.fixture
def task(world: World) -> Iterator[ContainerServer]:
    """The credentials endpoint of a task or pod, which accepts every request with the token."""
    with ContainerServer(token=TOKEN) as server:
        world.host.environ[FULL] = server.full_uri
        yield server


def as_documented(asker: Asker) -> None:
    """Write the manual's profile, with a name and a path of this machine."""
    blocks = readme.section("Containers").blocks
    (config,) = [block for block in blocks if "[profile deploy]" in block.text]
    text = config.text.replace("[profile deploy]", "[profile app]")
    assert "/usr/local/bin/credproc " in text
    asker.world.host.config(text.replace("/usr/local/bin/credproc", asker.line))


def got_the_role_once(world: World, task: ContainerServer, results: list[Result]) -> None:
    """Check that two requests were signed with a role that the task's own role assumed once."""
    assert {result.status for result in results} == {0}, results
    role = world.sts.issued[-1].access_key
    assert signers(world) == [task.current["AccessKeyId"], role, role]
    assert task.count("creds") == 1
    assert world.imds.count() == 0


@each
@pytest.mark.parametrize("way", ["variable", "file"])
def test_role_is_assumed_from_the_tasks(way: str, asker: Asker, task: ContainerServer) -> None:
    world = asker.world
    as_documented(asker)
    if way == "variable":  # a server of the user's own
        world.host.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = TOKEN
    else:  # EKS Pod Identity
        path = world.host.folder / "token"
        path.write_text(TOKEN)
        world.host.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(path)

    results = [asker.ask(), asker.ask()]

    got_the_role_once(world, task, results)


@each
def test_token_that_the_endpoint_refuses_is_named(asker: Asker, task: ContainerServer) -> None:
    as_documented(asker)
    asker.world.host.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "another"

    result = asker.ask()

    assert result.status != 0
    said = result.stdout.decode() + result.stderr
    assert "credproc: chain: source container: " in said
    assert "the authorization token is missing or wrong" in said
    assert "another" not in said.replace("another process", "")
    assert signers(asker.world) == []


@each
def test_instances_role_is_reached_with_one_more_hop(asker: Asker) -> None:
    world = asker.world
    world.host.config(f"[profile app]\ncredential_process = {asker.line}\n")
    world.imds.hops = 2

    refused = asker.ask()
    world.imds.limit = 2
    cachedir.clear(world.host.cache)  # a failure is remembered for some seconds
    result = asker.ask()

    assert refused.status != 0
    said = refused.stdout.decode() + refused.stderr
    assert "--http-put-response-hop-limit 2" in said
    assert result.status == 0, result
    assert signers(world) == [world.imds.current["AccessKeyId"]]


@each
def test_nodes_role_is_not_used_as_the_tasks(asker: Asker, task: ContainerServer) -> None:
    world = asker.world
    world.host.config(f"[profile app]\ncredential_process = {asker.line}\n")

    refused = asker.ask()
    world.host.config(f"[profile app]\ncredential_process = {asker.line} --imds app\n")
    result = asker.ask()

    assert refused.status != 0
    assert f"{FULL} is set, so this container has its own identity" in (
        refused.stdout.decode() + refused.stderr
    )
    assert result.status == 0, result
    assert signers(world) == [world.imds.current["AccessKeyId"]]
    assert task.count() == 0


@every(ASKING[:1])
def test_role_is_assumed_from_the_tasks_where_ecs_has_it(
    consumer: Consumer, installed: Callable[[Consumer], Installed], tmp_path: Path
) -> None:
    there = installed(consumer)
    with Network(ECS) as network, contextlib.ExitStack() as stack:
        try:
            world = network.do(lambda: stack.enter_context(worlds.made(tmp_path)))
            task = network.do(
                lambda: stack.enter_context(ContainerServer(path=PATH, host=ECS, port=80))
            )
            asker = Asker(world, consumer, there)
            as_documented(asker)
            world.host.environ[RELATIVE] = PATH

            results = [network.do(asker.ask) for _ in range(2)]
        finally:
            network.do(stack.close)

    got_the_role_once(world, task, results)


@each
def test_role_is_assumed_with_the_token_of_a_service_account(asker: Asker) -> None:
    world = asker.world
    world.host.config(
        f"[profile app]\ncredential_process = {asker.line} --role-arn {ONE} --source web-identity\n"
    )
    token = world.host.folder / "token"
    token.write_text("a token of the cluster's")
    pods = {"AWS_ROLE_ARN": TWO, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}

    results = [asker.ask(**pods), asker.ask(**pods)]

    assert {result.status for result in results} == {0}, results
    pod, role = (issued.access_key for issued in world.sts.issued)
    assert signers(world) == ["", pod, role, role]
    assert (world.sts.count(TWO), world.sts.count(ONE)) == (1, 1)


@each
def test_token_of_a_service_account_overrides_a_profile_of_the_environment(asker: Asker) -> None:
    """The reason for which the manual has the profile named."""
    world = asker.world
    world.host.config(f"[profile app]\ncredential_process = {asker.line}\n")
    token = world.host.folder / "token"
    token.write_text("a token of the cluster's")

    result = asker.ask(
        None, AWS_PROFILE="app", AWS_ROLE_ARN=TWO, AWS_WEB_IDENTITY_TOKEN_FILE=str(token)
    )

    assert result.status == 0, result
    assert signers(world) == ["", world.sts.issued[-1].access_key]
    assert world.runs == 0
