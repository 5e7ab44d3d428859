"""A cache never changes the identity: files replaced while a run waits, and relative paths.

What needs no barrier is compared in tests/worlds.py.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from credproc.cache import decode
from tests import cachedir
from tests.cloud import CHAIN, ONE
from tests.functional.test_clearing import locked, wait_for_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cloud import Cloud

    Write = Callable[[Path, str], None]

WEB = f"[profile p]\nrole_arn = {ONE}\nweb_identity_token_file = "
ROLE = (
    f"[profile p]\nrole_arn = {ONE}\nsource_profile = base\n"
    "[profile base]\naws_secret_access_key = secret\naws_access_key_id = AKIA"
)


def token(home: Path, who: str) -> None:
    """Let the token of the profile be that of someone."""
    (home / "token").write_text(who)
    (home / "config").write_text(f"{WEB}{home}/token\n")


def projected_token(home: Path, who: str) -> None:
    """Replace the token as Kubernetes does: by a link to another directory."""
    (home / who).mkdir(exist_ok=True)
    (home / who / "token").write_text(who)
    os.utime(home / who / "token", (1, 1))
    (home / "..new").symlink_to(who)
    (home / "..new").rename(home / "..data")
    (home / "config").write_text(f"{WEB}{home}/..data/token\n")


def keys(home: Path, who: str) -> None:
    """Let the keys that the role is assumed with be those of someone."""
    (home / "config").write_text(f"{ROLE}{who}\n")


def environment_token(home: Path, who: str) -> None:
    """Let the token that AWS_WEB_IDENTITY_TOKEN_FILE names be that of someone."""
    (home / "token").write_text(who)


PROFILE = ("--profile", "p")
SOURCES = {
    "token of a profile": (token, PROFILE),
    "token of a pod": (projected_token, PROFILE),
    "keys of a profile": (keys, PROFILE),
    "token": (environment_token, ("--role-arn", ONE, "--source", "web-identity")),
}


def caller(cloud: Cloud, document: dict[str, str]) -> str:
    """Return whose token or key was sent to STS first, for the printed credentials."""
    issued = {
        each.access_key: call for each, call in zip(cloud.sts.issued, cloud.sts.calls, strict=True)
    }
    call = issued[document["AccessKeyId"]]
    while call.access_key in issued:
        call = issued[call.access_key]
    return call.parameters.get("WebIdentityToken", call.access_key)[-3:]


def sessions(folder: Path) -> list[str]:
    """Return the names of the cached sessions, the one of the last hop last."""
    found = {}
    for name in cachedir.names(folder, ".entry"):
        entry = decode((folder / name).read_bytes())
        if entry and entry.key.startswith(b"session"):
            found[name] = len(entry.key)
    return sorted(found, key=found.__getitem__)


@pytest.mark.parametrize("source", SOURCES)
def test_file_that_is_replaced_while_a_run_waits_and_put_back_is_not_mistaken(
    source: str, cloud: Cloud
) -> None:
    write, argv = SOURCES[source]
    home, host = cloud.host.home, cloud.host
    host.environ |= {"AWS_CONFIG_FILE": str(home / "config"), "AWS_REGION": "eu-west-1"}
    host.environ |= {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    if source == "token":
        host.environ |= {"AWS_ROLE_ARN": ONE, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{home}/token"}
    write(home, "ann")
    assert caller(cloud, host.document(*argv)) == "ann"
    waited = sessions(host.cache)[0]
    for name in cachedir.names(host.cache, ".entry"):
        os.unlink(host.cache / name)
    with locked(host, waited):
        run = host.start(*argv, "-v")
        wait_for_line(run.popen.stderr, b"waiting for another process")
        write(home, "bob")
    assert run.wait().status == 0
    write(home, "ann")

    assert caller(cloud, host.document(*argv)) == "ann"


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME"])
def test_a_relative_path_in_a_variable_is_another_file_in_another_directory(
    variable: str, cloud: Cloud
) -> None:
    folders = []
    for who in ("ann", "bob"):
        folder = cloud.host.folder / who
        aws = folder / ".aws"
        aws.mkdir(parents=True)
        keys(aws, who)
        (aws / "credentials").write_text(
            f"[base]\naws_access_key_id = AKIA{who}\naws_secret_access_key = secret\n"
            f"[p]\nrole_arn = {ONE}\nsource_profile = base\n"
        )
        folders.append(folder)
    value = {"AWS_CONFIG_FILE": ".aws/config", "HOME": "."}.get(variable, ".aws/credentials")
    cloud.host.environ |= {variable: value, "CREDPROC_CACHE_DIR": f"{cloud.host.folder}/cache"}

    found = [cloud.host.run(*PROFILE, cwd=folder).document for folder in folders * 2]
    assert [caller(cloud, each) for each in found] == ["ann", "bob"] * 2
    assert cloud.sts.count() == 2


@pytest.mark.parametrize(
    ("setting", "options"),
    [
        ({"AWS_STS_REGIONAL_ENDPOINTS": "regional"}, ()),
        ({"AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "False"}, ()),
        ({"AWS_REGION": "eu-west-1"}, ()),
        ({}, ("--duration-seconds", "3600")),
    ],
)
def test_a_default_that_is_set_costs_no_call(
    setting: dict[str, str], options: tuple[str, ...], cloud: Cloud
) -> None:
    argv = ("--role-arn", ONE, "--source", "env")
    first = cloud.host.document(*argv)
    cloud.host.environ.update(setting)
    assert cloud.host.document(*argv[:2], *options, *argv[2:]) == first


def test_a_token_from_stdin_or_a_pipe_is_refused(cloud: Cloud) -> None:
    cloud.host.environ |= {"AWS_ROLE_ARN": ONE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/stdin"}
    result = cloud.host.run("--role-arn", ONE, "--source", "web-identity", stdin=b"t")

    assert result.status == 1
    assert "/dev/stdin: is not a regular file" in result.stderr


def test_an_answer_is_cached_where_a_shared_file_is_dev_null(cloud: Cloud) -> None:
    cloud.host.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    first = cloud.host.document(*CHAIN)

    assert cachedir.answer(cloud.host.cache)
    assert cloud.host.document(*CHAIN) == first


@pytest.mark.parametrize(
    "command",
    [
        "cat {ann}/creds",
        'sh -c "exec cat <{ann}/creds"',
        "env X={ann}/creds {script}",
        "cat '{blank}/creds'",
        """sh -c 'cat "{blank}/creds"'""",
    ],
)
def test_a_helper_runs_again_when_a_file_that_its_command_names_has_changed(
    command: str, cloud: Cloud
) -> None:
    host = cloud.host
    paths = helper(cloud)
    host.config(f"[profile p]\ncredential_process = {command.format_map(paths)}\n")
    first = host.document(*PROFILE)["AccessKeyId"]
    for each in ("ann", "blank"):
        write_credentials(paths[each], "bob")

    assert (first, host.document(*PROFILE)["AccessKeyId"]) == ("ASIAANN", "ASIABOB")


@pytest.mark.parametrize("path", ["{ann}/script", "script"])
def test_a_helper_runs_again_when_its_script_has_changed(path: str, cloud: Cloud) -> None:
    host = cloud.host
    paths = helper(cloud)
    host.environ["PATH"] = f"{paths['ann']}:{host.environ['PATH']}"
    host.config(f"[profile p]\ncredential_process = {path.format_map(paths)}\n")
    found = []
    for who in ("ann", "bob"):
        script = paths["ann"] / "script"
        script.write_text(f"#!/bin/sh\ncat {paths[who]}/creds\n")
        script.chmod(0o700)
        os.utime(script, (1, 1))
        found.append(host.document(*PROFILE)["AccessKeyId"])

    assert found == ["ASIAANN", "ASIABOB"]


def test_a_helper_runs_again_when_a_file_that_it_prefers_appears(cloud: Cloud) -> None:
    paths = helper(cloud)
    file = cloud.host.folder / "preferred"
    cloud.host.config(
        f"[profile p]\ncredential_process = sh -c 'cat {file} || cat {paths['ann']}/creds'\n"
    )
    first = cloud.host.document(*PROFILE)["AccessKeyId"]
    file.write_bytes((paths["bob"] / "creds").read_bytes())

    assert (first, cloud.host.document(*PROFILE)["AccessKeyId"]) == ("ASIAANN", "ASIABOB")


def test_a_helper_that_appends_to_a_log_is_cached(cloud: Cloud) -> None:
    paths = helper(cloud)
    log = cloud.host.folder / "log"
    cloud.host.config(
        f"[profile p]\ncredential_process = sh -c 'echo run >>{log}; cat {paths['ann']}/creds'\n"
    )
    for _ in range(3):
        cloud.host.document(*PROFILE)

    assert log.read_text() == "run\n"


def test_a_file_that_is_replaced_while_the_helper_runs_does_not_give_its_session_a_wrong_key(
    cloud: Cloud,
) -> None:
    paths = helper(cloud)
    creds, other = paths["ann"] / "creds", paths["bob"] / "creds"
    swap = cloud.host.folder / "swap"
    swap.write_text(f"#!/bin/sh\n[ ! -e {other} ] || mv {other} $1\ncat $1\n")
    swap.chmod(0o700)
    before = creds.read_bytes()
    cloud.host.config(f"[profile p]\ncredential_process = {swap} {creds}\n")
    first = cloud.host.document(*PROFILE)["AccessKeyId"]
    creds.write_bytes(before)

    assert (first, cloud.host.document(*PROFILE)["AccessKeyId"]) == ("ASIABOB", "ASIAANN")


@pytest.mark.parametrize("reference", ["$WHERE", "${{WHERE}}", "${{WHERE:-{ann}}}"])
def test_a_helper_runs_again_when_a_variable_that_its_command_names_has_changed(
    reference: str, cloud: Cloud
) -> None:
    paths = helper(cloud)
    named = reference.format_map(paths)
    cloud.host.config(f'[profile p]\ncredential_process = sh -c "cat {named}/creds"\n')
    found = [
        cloud.host.document(*PROFILE, WHERE=str(paths[who]))["AccessKeyId"]
        for who in ("ann", "bob", "ann")
    ]

    assert found == ["ASIAANN", "ASIABOB", "ASIAANN"]


def helper(cloud: Cloud) -> dict[str, Path]:
    """Write a helper's credentials for two people, and a script."""
    script = cloud.host.folder / "script"
    script.write_text('#!/bin/sh\ncat "$X"\n')
    script.chmod(0o700)
    paths = {"script": script}
    for name, who in (("ann", "ann"), ("blank", "ann"), ("bob", "bob")):
        paths[name] = cloud.host.folder / name.replace("blank", "with a blank")
        paths[name].mkdir()
        write_credentials(paths[name], who)
    return paths


def write_credentials(folder: Path, who: str) -> None:
    """Write the credentials of someone that a helper prints; the file's times are always equal."""
    file = folder / "creds"
    file.write_text(
        f'{{"Version": 1, "AccessKeyId": "ASIA{who.upper()}", "SecretAccessKey": "s",'
        ' "SessionToken": "t", "Expiration": "2099-01-01T00:00:00Z"}'
    )
    os.utime(file, (1, 1))
