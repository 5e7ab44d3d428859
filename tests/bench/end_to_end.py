"""A whole `aws s3 ls` against moto, with credproc and with each native way to the same role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.timing import Row
from tests.harness import CREDPROC, SCRIPTS
from tests.servers.moto import Moto

if TYPE_CHECKING:
    from tests.bench.peers import Peers
    from tests.bench.world import World

CONFIG = f"""
[profile instance]
region = eu-central-1
credential_process = {CREDPROC}
[profile metadata]
region = eu-central-1
"""


def rows(world: World, peers: Peers) -> list[Row]:
    """Return a row for each way, for AWS CLI v1 and v2; caches are warm where there is one."""
    folder = world.folder / "s3"
    folder.mkdir()
    moto = Moto(folder)
    world.at_end(moto.stop)
    found = []
    for name, aws in (("v1", str(SCRIPTS / "aws")), ("v2", str(peers.cli_v2()))):
        for way, profile in (
            ("keys in the credentials file", "base"),
            ("credproc: the same role", "credproc"),
            ("role_arn, the CLI's cache", "one"),
            ("credproc: IMDS", "instance"),
            ("IMDS, no cache", "metadata"),
        ):
            home = world.home(f"s3-{name}-{profile}")
            with (home / ".aws" / "config").open("a", encoding="utf-8") as file:
                file.write(CONFIG)
            env = {**world.env(home), "AWS_ENDPOINT_URL_S3": moto.url}
            command = [aws, "s3", "ls", "--region", "eu-central-1"]
            # Without a profile the CLI goes on to IMDS.
            command += [] if profile == "metadata" else ["--profile", profile]
            found.append(Row(f"{name}: {way}", command, env))
    return found
