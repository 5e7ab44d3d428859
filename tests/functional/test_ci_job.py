"""The CI jobs of the documentation: a script for any CI system, and a workflow for GitHub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests import readme
from tests.servers.base import Answer, Server
from tests.servers.sts import error

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tests.servers.base import Recorded


@pytest.mark.parametrize("options", ["-c", "-ec"])
@pytest.mark.parametrize("refused", ["AssumeRoleWithWebIdentity", "AssumeRole"])
def test_job_stops_without_credentials(refused: str, options: str, cloud: Cloud) -> None:
    (block,) = readme.section("CI").blocks
    script = "\n".join(command for command, _ in block.commands)
    cloud.sts.fail(error("AccessDenied"), action=refused)
    cloud.host.environ.update(OIDC_TOKEN="a token", TMPDIR=str(cloud.host.folder))

    # The keys in the environment are the machine's, which the job must not use.
    result = cloud.host.run(options, f"{script}\necho went on", command="/bin/sh")

    assert result.status == 1
    assert result.stdout == b""
    assert result.stderr.startswith("credproc: chain: ")
    assert cloud.sts.count("GetCallerIdentity") == 0


class Tokens(Server):
    """GitHub's endpoint for a job's OIDC token."""

    def answer(self, request: Recorded) -> Answer:
        """Return a token for the requested audience."""
        assert request.headers["authorization"] == "bearer a runner's"
        audience = request.path.partition("audience=")[2]
        return Answer(200, json.dumps({"value": f"a token for {audience}"}).encode())


@pytest.mark.needs("curl", "jq")
def test_workflow_of_the_front_page_gives_its_steps_the_role(cloud: Cloud) -> None:
    (block,) = [b for b in readme.section("Recipes").blocks if b.kind == "workflow"]
    host = cloud.host
    workflow = yaml.safe_load(block.text.replace("/tmp/", f"{host.folder}/"))
    (job,) = workflow["jobs"].values()
    (host.home / "bin").mkdir()
    (host.home / "bin" / "pipx").write_text(f'#!/bin/sh\necho "$*" > {host.home}/pipx-said\n')
    (host.home / "bin" / "pipx").chmod(0o755)
    steps = [step["run"] for step in job["steps"] if "run" in step]

    with Tokens() as tokens:
        given: dict[str, Any] = {
            **job["env"],
            "CREDPROC": "credproc-1.whl",
            "AWS_ENDPOINT_URL": cloud.sts.url,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{tokens.url}/?v=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a runner's",
            "PATH": f"{host.home}/bin:{host.env()['PATH']}",
        }
        results = [host.run("-ec", step, command="/bin/sh", **given) for step in steps]

    assert workflow[True] == "push"  # YAML's `on`
    assert workflow["permissions"]["id-token"] == "write"
    assert [result.status for result in results] == [0] * len(steps), results
    assert (host.home / "pipx-said").read_text() == "install credproc-1.whl\n"
    assert b"444455556666:assumed-role/deploy/credproc-" in results[-1].stdout
    (first, *_) = cloud.sts.calls
    assert first.parameters["WebIdentityToken"] == "a token for sts.amazonaws.com"
