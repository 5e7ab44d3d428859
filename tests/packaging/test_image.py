"""The manual's container: its Dockerfile is followed, and what it makes is run, twice."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests import cachedir, readme
from tests.image import Docker
from tests.loopback import identity

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer


@pytest.mark.slow
@pytest.mark.needs("namespaces", "mount", "network")
@pytest.mark.timeout(180)
def test_containers_of_the_manuals_image_share_the_instances_credentials(
    tmp_path: Path, wheel: Path, imds: ImdsServer, sts: StsServer
) -> None:
    section = readme.section("Containers")
    dockerfile, console = (block for block in section.blocks if block.kind == "docker")
    config = next(block for block in section.blocks if block.kind == "config")
    context, folder, host = (tmp_path / name for name in ("context", "image", "srv"))
    for made in (context, folder, host):
        made.mkdir()
    shutil.copy(wheel, context)
    (context / "Dockerfile").write_text(dockerfile.text)
    (context / "aws.config").write_text(config.text)
    sts.trust(imds.current["AccessKeyId"], identity("app"), imds.current["Token"])
    where = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url, "AWS_ENDPOINT_URL_STS": sts.url}
    *before, (last, promised) = console.commands
    commands = [command.replace("/srv", str(host)) for command, _ in [*before, (last, promised)]]

    said = Docker(folder, context, where).run([*commands, commands[-1]])

    assert said == promised * 2
    assert imds.count("creds") == 1
    (cache,) = host.iterdir()
    documents = [each.document for each in cachedir.entries(cache)]  # the session's, the answer's
    assert all(imds.current["AccessKeyId"].encode() in document for document in documents)
    assert len(documents) == 2
    assert {path.stat().st_uid for path in (cache, *cache.iterdir())} == {1000}
