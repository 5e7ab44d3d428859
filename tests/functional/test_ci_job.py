"""The manual's job in CI, where no role is to be had: it stops, whatever the shell's options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import readme
from tests.servers.sts import error

if TYPE_CHECKING:
    from tests.cloud import Cloud


@pytest.mark.parametrize("options", ["-c", "-ec"])
@pytest.mark.parametrize("refused", ["AssumeRoleWithWebIdentity", "AssumeRole"])
def test_job_does_not_go_on_without_credentials(refused: str, options: str, cloud: Cloud) -> None:
    (block,) = readme.section("CI").blocks
    script = "\n".join(command for command, _ in block.commands)
    cloud.sts.fail(error("AccessDenied"), action=refused)
    cloud.host.environ.update(OIDC_TOKEN="a token", TMPDIR=str(cloud.host.folder))

    # The keys in the environment are the machine's, with which the job must not go on.
    result = cloud.host.run(options, f"{script}\necho went on", command="/bin/sh")

    assert result.status == 1
    assert result.stdout == b""
    assert result.stderr.startswith("credproc: chain: ")
    assert cloud.sts.count("GetCallerIdentity") == 0
