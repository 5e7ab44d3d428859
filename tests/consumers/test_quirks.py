"""Peculiarities of consumers: a test of each note about one of them in the manual."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cloud import ONE
from tests.consumers.asking import ASKING, Asker
from tests.consumers.consumer import CONSUMERS, Consumer
from tests.consumers.every import every
from tests.consumers.getting import restic
from tests.consumers.world import World, make_requests, run, served, start
from tests.ctl import real

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installed, Installer

    Get = Callable[[Consumer], Installed]

pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

each = every(CONSUMERS)
NEEDY = [(consumer, name) for consumer in CONSUMERS for name in consumer.needs]

#: Those that read config files each in its own way.
NAMES = ("boto3, newest", "AWS SDK for", "pyarrow", "icechunk", "Terraform")
READERS = [consumer for consumer in CONSUMERS if consumer.name.startswith(NAMES)]


def of(name: str) -> pytest.MarkDecorator:
    """Parametrize a test with the consumer of that name."""
    found = [consumer for consumer in CONSUMERS if consumer.name.startswith(name)]
    return every(found)


@each
def test_home_must_be_written_out_if_no_shell_is_used(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    (world.host.home / "credproc").symlink_to(world.plain)
    world.profile("--cache-dir", "~/kept", path="$HOME/credproc", file=consumer.file)
    by_variable = make_requests(world, consumer, there, 1)

    assert served(world, by_variable) == consumer.a_shell, by_variable
    assert (world.host.home / "kept").exists() == consumer.a_shell
    if not consumer.a_shell:
        world.profile(path="~/credproc", file=consumer.file)
        by_tilde = make_requests(world, consumer, there, 1)

        assert by_tilde.status != 0
        assert world.runs == 0
        assert not any(world.keys)


@pytest.mark.slow
@pytest.mark.needs("network")
@pytest.mark.parametrize(("consumer", "name"), NEEDY, ids=str)
def test_variable_is_needed(world: World, installed: Get, consumer: Consumer, name: str) -> None:
    there = installed(consumer)
    without = replace(consumer, env={k: v for k, v in consumer.env.items() if k != name})

    result = make_requests(world, without, there, 1)

    assert world.runs == 0
    # A consumer without a profile calls IMDS, without credproc.
    by_itself = {world.imds.current["AccessKeyId"]} if name == "AWS_PROFILE" else set()
    assert set(world.keys) == ({""} if consumer.unsigned else by_itself), result


@of("rclone")
def test_rclone_wants_env_auth(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    words = [word.replace("env_auth=true", "env_auth=false") for word in there.command]

    result = make_requests(world, consumer, there._replace(command=words), 1)

    assert result.status != 0
    assert world.runs == 0
    assert not any(world.keys)


@of("MinIO")
def test_minio_wants_an_option_and_the_credentials_file(
    world: World, installed: Get, consumer: Consumer
) -> None:
    there = installed(consumer)
    world.profile(file="config")
    by_config = make_requests(world, consumer, there, 1)
    world.write(f"credential_process = {world.plain}", "credentials")
    by_path_alone = make_requests(world, consumer, there, 1)

    assert by_config.status != 0
    assert by_path_alone.status != 0
    assert world.runs == 0
    assert not any(world.keys)


@of("Terraform")
def test_terraform_can_turn_imds_off(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    words = [*there.command, "-backend-config=skip_metadata_api_check=true"]

    result = make_requests(world, consumer, there._replace(command=words), 1)

    assert result.status != 0
    assert world.environ["AWS_EC2_METADATA_DISABLED"] == "true"
    assert "credproc: imds: turned off by AWS_EC2_METADATA_DISABLED=true\n" in result.stderr, result
    assert not any(world.keys)


@pytest.mark.slow
@pytest.mark.needs("network")
def test_restic_reads_the_credentials_file(world: World, installer: Installer) -> None:
    there = restic(installer)
    world.profile(file="credentials")

    result = run(world, there.command, {"AWS_PROFILE": "app", "RESTIC_PASSWORD": "x"})

    assert "The specified key does not exist" in result.stderr, result  # S3 let it look
    assert set(world.keys) == {world.imds.current["AccessKeyId"]}
    assert world.runs == 1


@pytest.mark.slow
@pytest.mark.needs("network")
@pytest.mark.parametrize("options", [f"--role-arn {ONE} --source imds", "--imds", "--profile role"])
def test_entry_is_shared(world: World, installed: Get, options: str) -> None:
    askers = [Asker(world, consumer, installed(consumer)) for consumer in ASKING]
    world.host.config(
        f"[profile app]\ncredential_process = {askers[0].line} {options}\n"
        f"[profile role]\nrole_arn = {ONE}\ncredential_source = Ec2InstanceMetadata\n"
    )

    for asker in askers:
        result = asker.ask()
        assert result.status == 0, result

    assert world.runs == len(askers)
    assert world.imds.count("creds") == 1
    assert world.sts.count(ONE) == (options != "--imds")


@of("AWS SDK for PHP")
def test_php_ends_a_line_at_a_semicolon(world: World, installed: Get, consumer: Consumer) -> None:
    there = installed(consumer)
    world.write(f"credential_process = {world.plain} ; exit 9")

    result = make_requests(world, consumer, there, 1)

    assert served(world, result), result


@of("AWS SDK for PHP")
def test_php_reads_only_the_credentials_file(
    world: World, installed: Get, consumer: Consumer
) -> None:
    php, _, library = installed(consumer).command
    provider = "Aws\\Credentials\\CredentialProvider::process('app')"
    program = f"require '{library}'; echo {provider}()->wait()->getAccessKeyId();"
    world.profile(file="credentials")

    result = run(world, [php, "-r", program], {})

    assert result.stdout.decode() == world.imds.current["AccessKeyId"], result
    assert world.runs == 1


@pytest.mark.parametrize("options", [(), ("--imds", "--profile", "x", "--mfa-command", "a b")])
@every(READERS)
def test_line_that_credprocctl_writes_is_run(
    world: World, installed: Get, consumer: Consumer, options: tuple[str, ...]
) -> None:
    there = installed(consumer)
    real(world.host, "profile", "remove", "app")
    words = ["profile", "add", "app", "--executable", str(world.special)]
    real(world.host, *words, *(["--", *options] if options else []))

    result = make_requests(world, consumer, there, 1)

    assert served(world, result), result
    assert world.runs


def expire(world: World) -> str:
    """Let S3 refuse the instance's credentials as expired; return the key of its new ones."""
    world.s3.expired.add(world.imds.current["AccessKeyId"])
    world.imds.turn()
    real(world.host, "cache", "clear", "--all")
    return str(world.imds.current["AccessKeyId"])


@of("DuckDB")
def test_duckdb_with_refresh_renews_the_secret_after_an_error(
    world: World, installed: Get, consumer: Consumer
) -> None:
    program = start(world, [*installed(consumer).command, "refresh"], consumer.env)
    program.request(1)
    assert world.runs == 2  # the file does not exist, which is an error, too
    other = expire(world)

    program.request(1)

    assert world.runs == 3
    assert world.keys[-1] == other


@of("DuckDB")
def test_duckdb_with_refresh_does_not_renew_the_secret_to_list_files(
    world: World, installed: Get, consumer: Consumer
) -> None:
    program = start(world, [*installed(consumer).command, "list"], consumer.env)
    program.request(1)
    expire(world)

    program.tell(1)

    with pytest.raises(AssertionError, match="HTTP 400"):
        program.done()
    assert world.runs == 1
