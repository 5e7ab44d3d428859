"""credprocctl exec: a command gets the credentials of a profile, and nothing else changes."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cloud import KEYS, ONE
from tests.ctl import CREDPROCCTL, Terminal, ctl, data, failed, one_line
from tests.harness import CREDPROC, NOWHERE, SCRIPTS

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tests.harness import Host, Result
    from tests.servers.sts import StsServer

BASE = "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x/y\n"
ROLE = (
    f"[profile dev]\ncredential_process = {CREDPROC} --profile role\nregion = eu-west-3\n"
    f"[profile role]\nrole_arn = {ONE}\nsource_profile = base\n"
)
#: What an earlier role has left in the shell.
STALE = {
    "AWS_ACCESS_KEY_ID": "AKIASTALESTALESTALE1",
    "AWS_SECRET_ACCESS_KEY": "stale",
    "AWS_SESSION_TOKEN": "stale",
    "AWS_SECURITY_TOKEN": "stale",
    "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
    "AWS_ACCOUNT_ID": "999999999999",
    "AWS_DEFAULT_PROFILE": "other",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/pod",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
}
WHO = """
import boto3
print(boto3.client("sts", region_name="eu-central-1").get_caller_identity()["Arn"])
"""


@pytest.fixture
def user(host: Host, sts: StsServer) -> Host:
    """A machine whose profile ``dev`` is a role, in a shell with variables of another role."""
    host.environ |= {"AWS_ENDPOINT_URL_STS": sts.url, **STALE}
    host.config(ROLE)
    host.credentials(BASE)
    return host


def execute(host: Host, *words: str, stdin: bytes | None = None) -> Result:
    """Run it as a process."""
    return host.run("exec", *words, command=CREDPROCCTL, stdin=stdin)


@pytest.mark.parametrize("option", [(), ("--env",)])
def test_command_uses_the_profile_despite_variables_of_the_shell(
    user: Host, option: tuple[str, ...]
) -> None:
    result = execute(user, "dev", *option, "--", sys.executable, "-c", WHO)

    assert result.status == 0, result
    assert result.stdout.decode().startswith("arn:aws:sts::111122223333:assumed-role/one/")


def test_dry_run_shows_which_variables_are_set_and_unset(user: Host) -> None:
    said = ctl(user, "exec", "dev", "--dry-run", "--", "aws", "s3", "ls")
    found = json.loads(ctl(user, "exec", "dev", "--dry-run", "--output", "json", "--", "aws"))
    by_env = ctl(user, "exec", "dev", "--dry-run", "--env", "--", "aws")

    names = sorted(STALE)
    assert said == (
        "set AWS_PROFILE=dev\nset AWS_SDK_LOAD_CONFIG=1\nset AWS_EC2_METADATA_DISABLED=true\n"
        + "".join(f"unset {name}\n" for name in names)
        + "run aws s3 ls\n"
    )
    assert found["unset"] == names
    assert found["command"] == ["aws"]
    assert "set AWS_REGION=eu-west-3\nset AWS_DEFAULT_REGION=eu-west-3\n" in by_env
    assert "set AWS_SECRET_ACCESS_KEY=...\n" in by_env
    assert "AWS_PROFILE=" not in by_env


def test_variables_of_env_are_those_of_the_role_and_no_others(user: Host, sts: StsServer) -> None:
    result = execute(user, "dev", "--env", "--", "env")

    lines = dict(line.partition("=")[::2] for line in result.stdout.decode().splitlines())
    issued = sts.issued[-1]
    assert lines["AWS_ACCESS_KEY_ID"] == issued.access_key
    assert lines["AWS_SESSION_TOKEN"] == issued.token
    assert lines["AWS_ACCOUNT_ID"] == "111122223333"
    assert lines["AWS_REGION"] == "eu-west-3"
    assert lines["AWS_CREDENTIAL_EXPIRATION"] > "2020-01-01T00:00:00Z"
    assert not {"AWS_PROFILE", *STALE} - {*lines} ^ {
        "AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_SECURITY_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "off"),
    [
        (f"credential_process = {CREDPROC} --profile role", True),
        (f"role_arn = {ONE}\nsource_profile = base", True),
        (f"role_arn = {ONE}\ncredential_source = EcsContainer", True),
        (f"credential_process = {CREDPROC} --role-arn {ONE} --source container", True),
        (f"credential_process = {CREDPROC}", False),
        (f"credential_process = {CREDPROC} --imds --profile role", False),
        (f"credential_process = {CREDPROC} --profile instance", False),
        (f"credential_process = {CREDPROC} --profile cached", False),
        (f"role_arn = {ONE}\ncredential_source = Ec2InstanceMetadata", False),
        ("credential_process = helper", False),
        (f"credential_process = {CREDPROC} --profile gone", False),
        (f"credential_process = {CREDPROC} --profile broken", False),
        ("region = x", False),
    ],
)
def test_imds_is_turned_off_if_the_profile_does_not_use_it(
    host: Host, lines: str, off: bool
) -> None:
    host.config(
        f"[profile app]\n{lines}\n[profile role]\nrole_arn = {ONE}\nsource_profile = base\n"
        f"[profile instance]\nrole_arn = {ONE}\ncredential_source = Ec2InstanceMetadata\n"
        f"[profile cached]\ncredential_process = {CREDPROC} --profile instance\n"
        f"[profile broken]\ncredential_process = {CREDPROC} --nonsense\n"
    )
    host.credentials(BASE)

    said = ctl(host, "exec", "app", "--dry-run", "--", "true")

    assert ("set AWS_EC2_METADATA_DISABLED=true" in said) is off


def test_empty_variables_are_left_empty_except_that_imds_is_turned_off(user: Host) -> None:
    user.environ |= {"AWS_CA_BUNDLE": "", "AWS_EC2_METADATA_DISABLED": ""}

    shown = ctl(user, "exec", "dev", "--dry-run", "--", "env")
    lines = execute(user, "dev", "--", "env").stdout.decode().splitlines()

    assert "AWS_CA_BUNDLE" not in shown
    assert "set AWS_EC2_METADATA_DISABLED=true\n" in shown
    assert "AWS_CA_BUNDLE=" in lines
    assert "AWS_EC2_METADATA_DISABLED=true" in lines


@pytest.mark.parametrize(
    ("options", "variable"),
    [
        ("--source env", "AWS_ACCESS_KEY_ID"),
        ("--source web-identity", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    ],
)
def test_profile_that_starts_from_variables_needs_env(
    cloud: Cloud, options: str, variable: str
) -> None:
    cloud.host.config(
        f"[profile app]\ncredential_process = {CREDPROC} --role-arn {ONE} {options}\n"
    )

    error = failed(cloud.host, "exec", "app", "--", "true", status=2)

    assert error.startswith(f"profile app reads {variable}, which tools would use instead")
    if variable in KEYS:
        script = 'echo "$AWS_ACCESS_KEY_ID"'
        result = execute(cloud.host, "app", "--env", "--", "sh", "-c", script)
        assert result.stdout.decode() == f"{cloud.sts.issued[-1].access_key}\n"


@pytest.mark.parametrize(
    ("words", "status"), [(["sh", "-c", "exit 7"], 7), (["nowhere"], 127), (["/etc"], 126)]
)
def test_status_is_that_of_the_command(user: Host, words: list[str], status: int) -> None:
    result = execute(user, "dev", "--", *words)

    assert (result.status, result.stdout) == (status, b"")
    assert result.stderr.count("\n") == (status != 7)


def test_failure_of_env_is_the_line_and_the_status_of_credproc(user: Host) -> None:
    user.environ["AWS_ENDPOINT_URL_STS"] = NOWHERE

    result = execute(user, "dev", "--env", "--", "echo", "never")

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credproc: profile role: role 1 of 1")
    assert result.stderr.count("\n") == 1


def test_streams_and_signals_are_the_commands(user: Host) -> None:
    script = "cat; echo $PPID; trap 'echo caught; exit 3' TERM; kill -TERM $$; sleep 30"
    process = user.start(
        "exec", "dev", "--", "sh", "-c", script, command=CREDPROCCTL, stdin=b"typed\n"
    )
    result = process.wait()
    ended = execute(user, "dev", "--", "sh", "-c", "kill -KILL $$")
    piped = execute(user, "dev", "--", "sh", "-c", "trap '' TERM; kill -PIPE $$; echo survived")

    assert result.status == 3
    assert result.stdout.decode().split("\n")[::2] == ["typed", "caught"]
    assert (ended.status, piped.status) == (-signal.SIGKILL, -signal.SIGPIPE)


def test_terminal_is_the_commands(user: Host) -> None:
    words = [str(CREDPROCCTL), "exec", "dev", "--", "sh", "-c", "tty; read -r line; echo ${line}!"]
    with Terminal(words, user.env()) as terminal:
        terminal.wait_for("/dev/pts/")
        terminal.type("typed\n")
        terminal.wait_for("typed!")
        assert terminal.end()[0] == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["dev"], "give a command after --"),
        (["dev", "--"], "give a command after --"),
        (["dev", "--", ""], "give a command after --"),
        (["dev", "ls"], "unexpected argument ls: give a command after --"),
        (["gone", "--", "ls"], "there is no profile gone"),
    ],
)
def test_invalid_arguments_are_refused(user: Host, words: list[str], reason: str) -> None:
    assert reason in failed(user, "exec", *words, status=2)


def test_profile_that_does_not_run_credproc_is_cached_by_env(user: Host, sts: StsServer) -> None:
    for _ in range(2):
        assert execute(user, "role", "--env", "--", "ls").status == 0

    assert sts.count(ONE) == 1
    assert data(user, "profile", "show") != []


def test_json_is_for_the_dry_run(user: Host) -> None:
    result = execute(user, "dev", "--output", "json", "--", "echo", "never")

    assert result.status == 2
    assert "--output json needs --dry-run" in one_line(result)
    assert b"never" not in result.stdout


def test_cached_credentials_are_used_with_and_without_it(user: Host, sts: StsServer) -> None:
    words = [str(SCRIPTS / "credproc"), "--profile", "role", "--field", "AccessKeyId"]
    plain = user.run(*words[1:], command=words[0])
    inside = execute(user, "dev", "--", *words)

    assert inside.stdout == plain.stdout
    assert sts.count(ONE) == 1
