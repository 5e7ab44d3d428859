"""credprocctl explain: what a run would do is told, and nobody is asked."""

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


def way(host: Host, *options: str, **env: Any) -> list[str]:
    """Return what is said of the last provider's source and roles."""
    provider = data_of(host, *options, **env)["providers"][-1]
    return [step["text"] for step in provider["way"]]


def data_of(host: Host, *options: str, **env: Any) -> Any:
    """Explain a command line for a machine."""
    return data_args(host, ["--", *options], **env)


def data_args(host: Host, words: list[str], **env: Any) -> Any:
    """Explain, with --output json before the options of credproc."""
    return json.loads(ctl(host, "explain", "--output", "json", *words, **env))


def test_nobody_is_asked_and_nothing_is_written(
    cloud: Host, imds: ImdsServer, sts: StsServer
) -> None:
    ctl(cloud, "explain", "--", *CHAIN)
    ctl(cloud, "explain", "--", "--imds")
    ctl(cloud, "explain", "--", *CHAIN, AWS_REGION=None)

    assert (imds.connections, sts.connections) == (0, 0)
    assert not cloud.cache.exists()


def test_providers_are_told_in_order(cloud: Host, imds: ImdsServer) -> None:
    text = real(cloud, "explain", "--", *CHAIN)
    lines = [" ".join(line.split()) for line in text.splitlines()]

    first = f"--imds web --role-arn {JUMP} --role-arn {APP} --external-id ... --source imds"
    then = "the next provider if there is none"
    assert lines[:6] == [
        f"command credproc {first}",
        f"provider 1 the instance's role, if it is web, from {imds.url}; {then}",
        "provider 2 a chain: 2 roles from imds",
        "source imds (not held)",
        f"role 1 {JUMP} (STS in eu-central-1, as configured; not held)",
        f"role 2 {APP} --external-id ... (STS in eu-central-1, as configured; not held)",
    ]
    assert lines[-1] == "next run ask; nothing is held for the whole of it"
    assert "geheim" not in text


def test_what_is_held_on_the_way_is_told(cloud: Host) -> None:
    cloud.run(*CHAIN)

    held = way(cloud, *CHAIN)

    assert all(", fresh)" in text for text in held), held


def test_what_a_changed_config_makes_useless_is_not_held(cloud: Host) -> None:
    cloud.run(*CHAIN)
    cloud.config("[default]\nregion = eu-west-1\n")

    assert all("not held)" in text for text in way(cloud, *CHAIN))


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({}, "print what is held; nobody is asked; refreshed in the background from "),
        ({"ahead": -5}, "print what is held, and ask in the background; refreshed before printing"),
        ({"ahead": -5, "now": -2}, "ask first; print what is held if that fails; expires "),
        ({"ahead": -5, "now": -2, "expiration": -1}, "ask first; what is held has expired"),
    ],
)
def test_next_run_is_told(cloud: Host, times: dict[str, int], words: str) -> None:
    cloud.run("--imds")
    cachedir.change(cloud.cache, **times)

    assert data_of(cloud, "--imds")["next"].startswith(words)


def test_refreshing_that_needs_a_person_is_not_said_to_happen_in_the_background(
    cloud: Host, sts: StsServer
) -> None:
    options = ("--role-arn", JUMP, "--serial-number", MFA, "--source", "imds")
    with Terminal(cloud) as terminal:
        process = terminal.start(*options)
        terminal.wait_for("MFA code for")
        terminal.type("123456\n")
        assert result(process).status == 0
    (whole,) = [
        each for each in data(cloud, "cache", "list")["entries"] if each["kind"] == "request"
    ]

    explained = data_of(cloud, *options)["next"]
    shown = ctl(cloud, "cache", "show", whole["id"])
    examined = ctl(cloud, "doctor", "--", *options)

    for text in (explained, shown, examined):
        assert f"before printing, with a new MFA code, from {whole['now']} (in " in text
        assert "in the background" not in text


def test_what_is_told_is_what_the_next_run_does(cloud: Host, imds: ImdsServer) -> None:
    for times, asks in (({}, False), ({"ahead": -5, "now": -2, "look": -1}, True)):
        cloud.run("--imds", "--refresh")
        cachedir.change(cloud.cache, **times)
        told = data_of(cloud, "--imds")["next"]
        imds.forget()
        cloud.run("--imds")

        assert told.startswith("ask") == asks
        assert bool(imds.count()) == asks


@pytest.mark.parametrize("option", ["--refresh", "--no-cache"])
def test_options_that_pass_over_the_cache_are_told(cloud: Host, option: str) -> None:
    assert data_of(cloud, "--imds", option)["next"].startswith(f"ask ({option})")


def test_last_failure_is_told(cloud: Host, imds: ImdsServer) -> None:
    imds.role = None
    cloud.run("--imds")

    told = data_of(cloud, "--imds")["next"]

    assert told.startswith("ask; the last run failed (imds: this instance has no role")


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"AWS_EC2_METADATA_DISABLED": "true"},
         "unavailable: turned off by AWS_EC2_METADATA_DISABLED=true"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/x"},
         "unavailable: AWS_WEB_IDENTITY_TOKEN_FILE gives this container an identity of its own"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "nonsense"},
         "unavailable: AWS_EC2_METADATA_SERVICE_ENDPOINT (or its config key): must be"),
    ],
)  # fmt: skip
def test_imds_that_would_not_be_asked_is_told(cloud: Host, env: dict[str, str], text: str) -> None:
    assert data_of(cloud, "--imds", **env)["providers"][0]["text"].startswith(text)


@pytest.mark.parametrize(
    ("options", "env", "text"),
    [
        (["--sts-region", "eu-west-3"], {}, "STS in eu-west-3, as --sts-region says"),
        ([], {}, "STS in eu-central-1, as configured"),
        ([], {"AWS_REGION": None}, "STS in the instance's region"),
        (["--serial-number", MFA], {}, "asks for an MFA code"),
    ],
)
def test_where_a_role_is_asked_for(
    cloud: Host, options: list[str], env: dict[str, Any], text: str
) -> None:
    assert text in way(cloud, "--role-arn", JUMP, *options, "--source", "imds", **env)[1]


def test_region_of_the_partition_without_any_configuration(cloud: Host) -> None:
    arn = "arn:aws-cn:iam::123456789012:role/app"

    told = way(cloud, "--role-arn", arn, "--source", "env", AWS_REGION=None)

    assert told[0] == "env: AWS_ACCESS_KEY_ID is not set"
    assert "STS in cn-north-1, because none is configured" in told[1]


def test_profile_leads_to_its_command_line_or_to_what_it_describes(cloud: Host) -> None:
    cloud.config(
        f"[profile app]\ncredential_process = /x/credproc --role-arn {APP} --source profile:keys\n"
        f"[profile dev]\nrole_arn = {JUMP}\nsource_profile = keys\nmfa_serial = {MFA}\n"
        "[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = geheim\n"
    )

    app = data(cloud, "explain", "--profile", "app")
    dev = data(cloud, "explain", "--profile", "dev")
    keys = data(cloud, "explain", "--profile", "keys")

    assert app["command"] == f"credproc --role-arn {APP} --source profile:keys"
    assert app["providers"][0]["text"] == "a chain: 1 role from profile:keys"
    assert dev["command"] == "credproc --profile dev"
    assert "asks for an MFA code" in dev["providers"][0]["way"][1]["text"]
    assert "its own credentials, by botocore" in keys["providers"][0]["text"]
    assert "geheim" not in str([app, dev, keys])


def test_profile_that_leads_nowhere_is_told(cloud: Host) -> None:
    cloud.config(f"[profile loop]\nrole_arn = {JUMP}\nsource_profile = loop\n")

    told = data_of(cloud, "--profile", "loop")["providers"][0]["text"]

    assert told.startswith("would fail: profile loop")


def test_what_the_answer_depends_on_shows_no_key(cloud: Host) -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    options = ("--role-arn", JUMP, "--source", "env")

    told = data_of(cloud, *options, AWS_ACCESS_KEY_ID=key)

    assert "AWS_ACCESS_KEY_ID=...MPLE" in told["depends_on"]
    assert "AWS_REGION=eu-central-1" in told["depends_on"]
    assert key not in str(told)


def test_what_the_answer_depends_on_is_told_in_words(cloud: Host) -> None:
    path = cloud.config("[default]\nregion = eu-west-1\n")
    os.utime(path, (1795823653, 1795823653))
    token = cloud.home / "token"
    token.write_text("a token")
    os.utime(token, (1795823654, 1795823654))

    def told(source: str, **env: str) -> list[str]:
        found = data_of(cloud, "--role-arn", JUMP, "--source", source, **env)["depends_on"]
        return [text for text in found if not text.startswith("AWS_")]

    config = f"{path}: changed 2026-11-27T23:54:13Z, 29 bytes"
    none = f"{cloud.home}/.aws/credentials: there is none"
    here = os.uname().nodename
    assert told("env") == [config, none, f"role session names of a user without a name on {here}"]
    assert told("env", USER="ann")[-1] == f"role session names of ann on {here}"
    assert told("imds")[2].startswith(f"{here}, since its latest start (")
    assert told("container", AWS_CONTAINER_AUTHORIZATION_TOKEN="geheim")[2] == (
        "the token in AWS_CONTAINER_AUTHORIZATION_TOKEN"
    )
    assert told("web-identity", AWS_WEB_IDENTITY_TOKEN_FILE=str(token))[2] == (
        f"{token}: changed 2026-11-27T23:54:14Z, 7 bytes"
    )


def test_cache_that_is_off_is_told(cloud: Host) -> None:
    told = ctl(cloud, "explain", "--", "--imds", CREDPROC_CACHE_DIR="x")

    assert "cache       off: CREDPROC_CACHE_DIR=x is no absolute path\n" in told


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["x", "--profile", "x"], "give PROFILE or --profile, not both"),
        (["x", "--", "--imds"], "not both"),
        ([], "there is no profile nobody"),
        (["--profile", "x", "--", "--imds"], "not both"),
        (["--profile", "nobody"], "there is no profile nobody"),
        (["--", "--help"], "print no credentials"),
        (["--", "--role-arn", JUMP], "a chain needs --source"),
    ],
)
def test_mistake_is_one_line(cloud: Host, words: list[str], reason: str) -> None:
    assert reason in failed(cloud, "explain", *words, status=2, AWS_PROFILE="nobody")


@pytest.mark.parametrize(
    ("words", "env", "command"),
    [
        (["app"], {"AWS_PROFILE": "other"}, "credproc --imds app"),
        ([], {"AWS_PROFILE": "app"}, "credproc --imds app"),
        ([], {}, "credproc --imds web"),
    ],
)
def test_profile_is_the_one_that_the_doctor_looks_at(
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


def test_bare_command_is_explained_where_there_is_no_profile(cloud: Host) -> None:
    assert data(cloud, "explain")["command"] == "credproc"
