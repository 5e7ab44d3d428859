"""Other keys beside credential_process: whose credentials are used in the end, or which line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud import KEYS, ONE
from tests.consumers.asking import ASKING, Asker, signers
from tests.consumers.every import every
from tests.harness import CREDPROC, SCRIPTS

if TYPE_CHECKING:
    from tests.consumers.world import World

pytestmark = [pytest.mark.consumer, pytest.mark.timeout(600)]

each = every(ASKING, most=1)

#: Keys of the user that are not intended to be used.
STRAY = "AKIASTRAYSTRAYSTRAY1"
STRAY_SECRET = "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
STRAY_KEYS = f"aws_access_key_id = {STRAY}\n{STRAY_SECRET}\n"


def doctor(world: World, **env: str) -> str:
    """Return what the doctor says of a profile ``app`` that runs credproc."""
    world.host.config(f"[profile app]\ncredential_process = {CREDPROC}\n")
    command = [str(SCRIPTS / "credprocctl"), "doctor"]
    environ = world.host.env(AWS_PROFILE="app", **env)
    result = world.host.processes.start(command, environ).wait()
    return " ".join(result.stdout.decode().split())


@each
def test_profile_that_credproc_is_to_read_again_is_named_and_signs_nothing(asker: Asker) -> None:
    asker.world.host.config(f"[profile app]\ncredential_process = {asker.line} --profile app\n")

    result = asker.ask()

    assert result.status != 0
    said = result.stdout.decode() + result.stderr
    assert "profile app calls itself (app -> app)" in said
    assert "name another profile after --profile" in said
    assert signers(asker.world) == []


@each
def test_role_in_the_same_profile_takes_precedence(asker: Asker) -> None:
    world = asker.world
    world.host.config(
        f"[profile base]\ncredential_process = {asker.line}\n"
        f"[profile app]\nrole_arn = {ONE}\nsource_profile = base\n"
        "credential_process = /proc/nowhere/credproc\n"
    )

    result = asker.ask()

    assert result.status == 0, result
    assert world.runs == 1
    instance = world.imds.current["AccessKeyId"]
    assert signers(world) == [instance, world.sts.issued[-1].access_key]
    assert world.sts.count(ONE) == 1


@each
def test_role_in_the_same_profile_without_a_source_is_a_named_error(asker: Asker) -> None:
    asker.world.host.config(f"[profile app]\nrole_arn = {ONE}\ncredential_process = {asker.line}\n")

    result = asker.ask()

    assert result.status != 0
    assert "source_profile or credential_source" in result.stdout.decode() + result.stderr
    assert asker.world.runs == 0
    assert signers(asker.world) == []
    ours = asker.world.host.run("--profile", "app")
    assert ours.status == 2
    assert "source_profile" in ours.stderr


@each
def test_keys_in_the_credentials_file_override_it_and_the_doctor_says_so(asker: Asker) -> None:
    world = asker.world
    world.host.config(f"[profile app]\nregion = eu-central-1\ncredential_process = {asker.line}\n")
    world.host.credentials(f"[app]\n{STRAY_KEYS}")

    result = asker.ask()

    assert result.status == 0, result
    assert world.runs == 0
    assert signers(world) == [STRAY]
    said = doctor(world)
    assert f"app has aws_access_key_id in {world.host.home}/.aws/credentials (keys, which" in said
    assert STRAY_SECRET.rsplit(maxsplit=1)[-1] not in said


@each
def test_keys_in_the_same_profile_of_the_config_file_do_not_override_it(asker: Asker) -> None:
    world = asker.world
    world.host.config(f"[profile app]\n{STRAY_KEYS}credential_process = {asker.line}\n")

    result = asker.ask()

    assert result.status == 0, result
    assert world.runs == 1
    assert signers(world) == [world.imds.current["AccessKeyId"]]


@each
def test_keys_in_the_environment_do_not_override_a_named_profile(asker: Asker) -> None:
    world = asker.world
    world.host.config(f"[profile app]\ncredential_process = {asker.line}\n")

    result = asker.ask(**KEYS)

    assert result.status == 0, result
    assert signers(world) == [world.imds.current["AccessKeyId"]]


@each
def test_keys_in_the_environment_override_a_profile_of_the_environment(asker: Asker) -> None:
    world = asker.world
    world.host.config(f"[profile app]\ncredential_process = {asker.line}\n")

    result = asker.ask(None, AWS_PROFILE="app", **KEYS)

    assert result.status == 0, result
    assert world.runs == 0
    assert signers(world) == [KEYS["AWS_ACCESS_KEY_ID"]]
    assert "AWS_ACCESS_KEY_ID is set" in doctor(world, **KEYS)


@each
def test_keys_in_the_environment_are_used_by_source_env(asker: Asker) -> None:
    world = asker.world
    world.host.config(
        f"[profile app]\ncredential_process = {asker.line} --role-arn {ONE} --source env\n"
    )

    result = asker.ask(**KEYS)

    assert result.status == 0, result
    assert signers(world) == [KEYS["AWS_ACCESS_KEY_ID"], world.sts.issued[-1].access_key]


@each
@pytest.mark.parametrize("other", ["app", "other", "gone"])
def test_profile_of_the_environment_does_not_choose_for_credproc(other: str, asker: Asker) -> None:
    world = asker.world
    world.host.config(
        f"[profile app]\ncredential_process = {asker.line} --role-arn {ONE} --source profile:base\n"
        f"[profile other]\n{STRAY_KEYS}"
    )
    world.host.credentials(
        "[base]\naws_access_key_id = AKIABASEBASEBASEBASE\naws_secret_access_key = x\n"
    )

    result = asker.ask(AWS_PROFILE=other)

    assert result.status == 0, result
    assert signers(world) == ["AKIABASEBASEBASEBASE", world.sts.issued[-1].access_key]


@each
def test_missing_profile_is_named(asker: Asker) -> None:
    asker.world.host.config(f"[profile app]\ncredential_process = {asker.line} --profile gone\n")

    result = asker.ask()

    assert result.status != 0
    assert "credproc: profile gone" in result.stdout.decode() + result.stderr
    assert signers(asker.world) == []
