"""credprocctl explain: it shows what a run would do, without calls or changes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests import cachedir
from tests.ctl import ctl, data, failed, real
from tests.terminal import Terminal, result

if TYPE_CHECKING:
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

JUMP = "arn:aws:iam::123456789012:role/jump"
APP = "arn:aws:iam::444455556666:role/app"
MFA = "arn:aws:iam::123456789012:mfa/ada"
CHAIN = (
    "--imds", "web", "--role-arn", JUMP, "--role-arn", APP, "--external-id", "geheim",
    "--source", "imds",
)  # fmt: skip


@pytest.fixture
def cloud(online: Host) -> Host:
    """A machine with an instance role, an STS and a region."""
    online.environ["AWS_REGION"] = "eu-central-1"
    return online


def sessions(host: Host, *options: str, **env: Any) -> list[str]:
    """Return the explanations of the last provider's sessions."""
    provider = data_of(host, *options, **env)["providers"][-1]
    return [step["text"] for step in provider["sessions"]]


def data_of(host: Host, *options: str, **env: Any) -> Any:
    """Explain a command line for a machine."""
    return data_args(host, ["--", *options], **env)


def data_args(host: Host, words: list[str], **env: Any) -> Any:
    """Explain, with --output json before the options of credproc."""
    return json.loads(ctl(host, "explain", "--output", "json", *words, **env))


def test_nothing_is_fetched_or_written(cloud: Host, imds: ImdsServer, sts: StsServer) -> None:
    ctl(cloud, "explain", "--", *CHAIN)
    ctl(cloud, "explain", "--", "--imds")
    ctl(cloud, "explain", "--", *CHAIN, AWS_REGION=None)

    assert (imds.connections, sts.connections) == (0, 0)
    assert not cloud.cache.exists()


def test_providers_are_explained_in_order(cloud: Host, imds: ImdsServer) -> None:
    text = real(cloud, "explain", "--", *CHAIN)
    lines = [" ".join(line.split()) for line in text.splitlines()]

    first = f"--imds web --role-arn {JUMP} --role-arn {APP} --external-id ... --source imds"
    then = "the next provider if there is none"
    assert lines[:8] == [
        f"command credproc {first}",
        f"provider 1 the role web of the instance, from {imds.url}; {then}",
        "session not cached",
        "provider 2 2 roles from imds",
        "source imds; not cached",
        "role 1 jump@123456789012; STS in eu-central-1 (configured); not cached",
        "role 2 app@444455556666 --external-id ...; STS in eu-central-1 (configured); not cached",
        f"cache {cloud.cache}",
    ]
    assert lines[8] == "answer not cached"
    assert lines[-1] == "next run no answer is cached: fetch the instance's role"
    assert "geheim" not in text


def test_cached_sessions_are_shown(cloud: Host) -> None:
    cloud.run(*CHAIN)

    explained = sessions(cloud, *CHAIN)

    assert len(explained) == 3
    assert all(text.endswith(", fresh") for text in explained), explained


def test_change_is_named_and_valid_sessions_are_used(
    cloud: Host, imds: ImdsServer, sts: StsServer
) -> None:
    cloud.run(*CHAIN)
    cloud.config("[profile new]\nregion = eu-west-1\n")
    calls = len(sts.calls)
    imds.forget()

    explained = data_of(cloud, *CHAIN)
    cloud.run(*CHAIN)

    changed = f"{cloud.home}/.aws/config now exists"
    assert explained["cache"]["answer"]["changed"] == [changed]
    assert explained["providers"][1]["next"] == "print the cached session; nothing is fetched"
    assert all(step["text"].endswith(", fresh") for step in explained["providers"][1]["sessions"])
    assert len(sts.calls) == calls
    assert "answer      no longer valid: " not in ctl(cloud, "explain", "--", *CHAIN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("edited", "has changed"),
        ("same size and time", "has changed"),
        ("removed", "no longer exists"),
    ],
)
def test_file_that_the_answer_depends_on_is_named(cloud: Host, change: str, words: str) -> None:
    path = cloud.config(
        f"[profile a]\nrole_arn = {JUMP}\ncredential_source = Ec2InstanceMetadata\n"
    )
    os.utime(path, (1, 1))
    cloud.run("--profile", "a")
    if change == "removed":
        path.unlink()
    else:
        text = path.read_text().replace("role/jump", "role/bump")
        path.write_text(text + "\n" * (change == "edited"))
        os.utime(path, (1, 1))

    explained = ctl(cloud, "explain", "--", "--profile", "a")

    assert f"answer      no longer valid: {path} {words}\n" in explained
    if change != "removed":
        assert f"next run    {path} {words}: fetch role 1\n" in explained
        assert (
            "role 1    bump@123456789012; STS in eu-central-1 (configured); not cached" in explained
        )


def test_only_what_is_not_cached_would_be_fetched(cloud: Host, sts: StsServer) -> None:
    cloud.run("--role-arn", JUMP, "--source", "imds")
    calls = len(sts.calls)
    options = ("--role-arn", JUMP, "--role-arn", APP, "--source", "imds")

    explained = data_of(cloud, *options)["next"]
    cloud.document(*options)

    assert explained == "no answer is cached: fetch role 2"
    assert [call.parameters["RoleArn"] for call in sts.calls[calls:]] == [APP]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({}, "print the cached answer; nothing is fetched; refreshed in the background from "),
        (
            {"ahead": -5},
            "print the cached answer, and refresh it in the background; refreshed before",
        ),
        (
            {"ahead": -5, "now": -2},
            "refresh first; print the cached answer if that fails; expires ",
        ),
        (
            {"ahead": -5, "now": -2, "expiration": -1},
            "the cached answer has expired: fetch the instance's role",
        ),
    ],
)
def test_next_run_is_explained(cloud: Host, times: dict[str, int], words: str) -> None:
    cloud.run("--imds")
    cachedir.change(cloud.cache, **times)

    assert data_of(cloud, "--imds")["next"].startswith(words)


def test_refresh_that_needs_a_person_is_not_explained_as_one_in_the_background(
    cloud: Host, sts: StsServer
) -> None:
    options = ("--role-arn", JUMP, "--serial-number", MFA, "--source", "imds")
    with Terminal(cloud) as terminal:
        process = terminal.start(*options)
        terminal.wait_for("MFA code for")
        terminal.type("123456\n")
        assert result(process).status == 0
    (whole,) = [
        each for each in data(cloud, "cache", "list")["entries"] if each["kind"] == "answer"
    ]

    explained = data_of(cloud, *options)["next"]
    shown = ctl(cloud, "cache", "show", whole["id"])
    examined = ctl(cloud, "doctor", "--", *options)

    for text in (explained, shown, examined):
        assert f"before printing, with a new MFA code, from {whole['now']} (in " in text
        assert "in the background" not in text


def test_explanation_is_what_the_next_run_does(cloud: Host, imds: ImdsServer) -> None:
    for times, fetches in (({}, False), ({"ahead": -5, "now": -2, "look": -1}, True)):
        cloud.run("--imds", "--refresh")
        cachedir.change(cloud.cache, **times)
        explained = data_of(cloud, "--imds")["next"]
        imds.forget()
        cloud.run("--imds")

        assert explained.startswith("refresh first") == fetches
        assert bool(imds.count()) == fetches


@pytest.mark.parametrize("option", ["--refresh", "--no-cache"])
def test_options_that_bypass_the_cache_are_explained(cloud: Host, option: str) -> None:
    assert data_of(cloud, "--imds", option)["next"].startswith(f"fetch ({option})")


def test_last_failure_is_explained(cloud: Host, imds: ImdsServer) -> None:
    imds.role = None
    cloud.run("--imds")

    explained = data_of(cloud, "--imds")["next"]

    assert explained.startswith("the last run failed (imds: this instance has no role")
    assert explained.endswith(": fetch the instance's role")


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"AWS_EC2_METADATA_DISABLED": "true"},
         "unavailable: turned off by AWS_EC2_METADATA_DISABLED=true"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/x"},
         "unavailable: AWS_WEB_IDENTITY_TOKEN_FILE is set, so this container has its own identity"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "nonsense"},
         "would fail: AWS_EC2_METADATA_SERVICE_ENDPOINT (or its config key): must be"),
    ],
)  # fmt: skip
def test_imds_that_is_unavailable_is_explained(cloud: Host, env: dict[str, str], text: str) -> None:
    assert data_of(cloud, "--imds", **env)["providers"][0]["text"].startswith(text)


@pytest.mark.parametrize(
    ("options", "env", "text"),
    [
        (["--sts-region", "eu-west-3"], {}, "STS in eu-west-3 (--sts-region)"),
        ([], {}, "STS in eu-central-1 (configured)"),
        ([], {"AWS_REGION": None}, "STS in the instance's region"),
        (["--serial-number", MFA], {}, "needs an MFA code"),
    ],
)
def test_region_of_a_role_is_explained(
    cloud: Host, options: list[str], env: dict[str, Any], text: str
) -> None:
    assert text in sessions(cloud, "--role-arn", JUMP, *options, "--source", "imds", **env)[1]


def test_region_of_the_partition_without_any_configuration(cloud: Host) -> None:
    arn = "arn:aws-cn:iam::123456789012:role/app"

    explained = sessions(cloud, "--role-arn", arn, "--source", "env", AWS_REGION=None)

    assert explained[0] == "env; no keys"
    assert "STS in cn-north-1 (none is configured)" in explained[1]


def test_profile_is_explained_by_its_command_line_or_its_roles(cloud: Host) -> None:
    cloud.config(
        f"[profile app]\ncredential_process = /x/credproc --role-arn {APP} --source profile:keys\n"
        f"[profile dev]\nrole_arn = {JUMP}\nsource_profile = keys\nmfa_serial = {MFA}\n"
        "[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = geheim\n"
    )

    app = data(cloud, "explain", "--profile", "app")
    dev = data(cloud, "explain", "--profile", "dev")
    keys = data(cloud, "explain", "--profile", "keys")

    assert app["command"] == f"credproc --role-arn {APP} --source profile:keys"
    assert app["providers"][0]["text"] == "1 role from profile:keys"
    assert dev["command"] == "credproc --profile dev"
    assert "needs an MFA code" in dev["providers"][0]["sessions"][1]["text"]
    assert keys["providers"][0]["text"].endswith("profile keys: the profile's own credentials")
    assert keys["next"] == "no answer is cached: print the keys"
    assert "geheim" not in str([app, dev, keys])


def test_profile_that_does_not_work_is_explained(cloud: Host) -> None:
    cloud.config(f"[profile loop]\nrole_arn = {JUMP}\nsource_profile = loop\n")

    explained = data_of(cloud, "--profile", "loop")["providers"][0]["text"]

    assert explained.startswith("would fail: profile loop")


def test_dependences_of_an_answer_show_no_key(cloud: Host) -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    options = ("--role-arn", JUMP, "--source", "env")

    explained = data_of(cloud, *options, AWS_ACCESS_KEY_ID=key)

    assert "AWS_ACCESS_KEY_ID=...MPLE" in explained["depends_on"]
    assert "AWS_REGION=eu-central-1" in explained["depends_on"]
    assert key not in str(explained)


def test_dependences_of_an_answer_are_described(cloud: Host) -> None:
    path = cloud.config("[default]\nregion = eu-west-1\n")
    os.utime(path, (1795823653, 1795823653))
    token = cloud.home / "token"
    token.write_text("a token")
    os.utime(token, (1795823654, 1795823654))
    identity = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": JUMP}

    def explained(source: str, **env: str) -> list[str]:
        return list(data_of(cloud, "--role-arn", JUMP, "--source", source, **env)["depends_on"])

    instance, web = explained("imds", USER="ann"), explained("web-identity", **identity)
    container = explained("container", AWS_CONTAINER_AUTHORIZATION_TOKEN="geheim")
    machine = f"this machine ({os.uname().nodename}) since it was started"
    assert f"{path} (29 bytes, changed 2026-11-27T23:54:13Z)" in instance
    assert f"{cloud.home}/.aws/credentials (does not exist)" in instance
    assert "USER=ann" in instance
    assert (machine in instance, machine in web) == (True, False)
    assert f"{token} (7 bytes, changed 2026-11-27T23:54:14Z)" in web
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN=..." in container
    assert "geheim" not in str(container)


def test_cache_that_is_off_is_explained(cloud: Host) -> None:
    explained = ctl(cloud, "explain", "--", "--imds", CREDPROC_CACHE_DIR="x")

    assert "cache       off: CREDPROC_CACHE_DIR=x is not an absolute path\n" in explained


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["x", "--profile", "x"], "not both"),
        (["x", "--", "--imds"], "not both"),
        ([], "there is no profile missing"),
        (["--profile", "x", "--", "--imds"], "not both"),
        (["--profile", "missing"], "there is no profile missing"),
        (["--", "--help"], "print no credentials"),
        (["--", "--role-arn", JUMP], "needs --source"),
    ],
)
def test_error_is_one_line(cloud: Host, words: list[str], reason: str) -> None:
    assert reason in failed(cloud, "explain", *words, status=2, AWS_PROFILE="missing")


@pytest.mark.parametrize(
    ("words", "env", "command"),
    [
        (["app"], {"AWS_PROFILE": "other"}, "credproc --imds app"),
        ([], {"AWS_PROFILE": "app"}, "credproc --imds app"),
        ([], {}, "credproc --imds web"),
    ],
)
def test_profile_is_the_one_that_the_doctor_checks(
    cloud: Host, words: list[str], env: dict[str, Any], command: str
) -> None:
    cloud.config(
        "[default]\ncredential_process = credproc --imds web\n"
        "[profile app]\ncredential_process = credproc --imds app\n"
    )

    explained = data(cloud, "explain", *words, **env)["command"]
    examined = [
        each["text"] for each in json.loads(
            ctl(cloud, "doctor", *words, "--output", "json", status=int("web" in command), **env)
        )["checks"] if each["name"] == "command"
    ]  # fmt: skip

    assert explained == command
    assert command in examined


def test_command_without_a_profile_is_explained(cloud: Host) -> None:
    assert data(cloud, "explain")["command"] == "credproc"
