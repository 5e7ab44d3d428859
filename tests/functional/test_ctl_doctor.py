"""credprocctl doctor: it finds problems, says what to do, and shows no secret."""

from __future__ import annotations

import compileall
import fcntl
import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

import credproc.__main__
from credproc.ctl.checks import instance
from credproc.store import Store
from tests import cachedir, needs
from tests.ctl import Inside, ctl, failed, real
from tests.harness import CREDPROC, NOWHERE
from tests.servers import faults, tls
from tests.servers.base import backlog_full
from tests.servers.imds import ImdsServer
from tests.servers.sts import StsServer, error

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.base import Fault

JUMP = "arn:aws:iam::123456789012:role/jump"
APP = "arn:aws:iam::444455556666:role/app"
MFA = "arn:aws:iam::123456789012:mfa/ada"
KEYS = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = canary/Secret\n"
#: What is said of a slow start, which is no fault of the test's.
BUSY = "the disk may be slow, or the machine busy"
CHAIN = f"--role-arn {JUMP} --role-arn {APP} --external-id geheim --source profile:keys"


@pytest.fixture
def cloud(host: Host, imds: ImdsServer, sts: StsServer) -> Host:
    """A machine with an instance role, an STS, and profiles that run credproc."""
    host.environ |= {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
        "AWS_ENDPOINT_URL_STS": sts.url,
        "AWS_REGION": "eu-central-1",
        # Programs on the machine that runs the tests are not on this one.
        "PATH": str(host.folder / "tools"),
    }
    (host.folder / "tools").mkdir()
    compileall.compile_file(credproc.__main__.__file__, quiet=1)  # as pip does
    host.config(
        f"[default]\ncredential_process = {CREDPROC}\n"
        f"[profile app]\ncredential_process = {CREDPROC} --imds app\n"
        f"[profile chain]\ncredential_process = {CREDPROC} --imds web {CHAIN}\n"
        f"[profile keys]\n{KEYS}"
    )
    return host


def examine(host: Host, *words: str, status: int = 0, **env: Any) -> dict[str, list[Any]]:
    """Return what the doctor says, as (status, text, advice) by the names of the checks."""
    found = json.loads(ctl(host, "doctor", "--output", "json", *words, status=status, **env))
    assert found["status"] == ("fail" if status else found["status"])
    assert (found["status"] == "fail") == any(each["status"] == "fail" for each in found["checks"])
    checks: dict[str, list[Any]] = {}
    for each in found["checks"]:
        said = (each["status"], each["text"], each["advice"])
        checks.setdefault(each["name"], []).append(said)
    return checks


def bad(checks: dict[str, list[Any]]) -> dict[str, str]:
    """Return warnings and errors by name, without the warning that this machine is busy."""
    return {
        name: f"{text} -> {advice}"
        for name, found in checks.items()
        for status, text, advice in found
        if status != "ok" and advice != BUSY
    }


def test_all_is_well(cloud: Host, imds: ImdsServer) -> None:
    checks = examine(cloud, "app")

    assert bad(checks) == {}
    assert list(checks) == [
        "config file", "credentials file", "profile", "environment", "profile's keys", "command",
        "executable", "cache", "cache lock", "metadata", "imds", "answer", "clock", "cached",
        "boto3",
    ]  # fmt: skip
    assert checks["profile"][0][1] == f"app, line 3 of {cloud.home}/.aws/config"
    assert checks["command"][0][1] == "credproc --imds app"
    assert f"{imds.url} returns tokens (IMDSv2)" in checks["metadata"][0][1]
    assert "the role is app" in checks["metadata"][0][1]
    assert f"valid until {imds.current['Expiration']}" in checks["imds"][0][1]
    assert checks["answer"][0][1] == "comes from imds"


def test_output_is_text_for_people(cloud: Host) -> None:
    lines = real(cloud, "doctor", "app").splitlines()

    assert lines[0] == f"ok    config file       {cloud.home}/.aws/config, mode 0600"
    warned = "0 errors, 1 warning. Look at this first:"
    assert lines[-1] == "No problems found." or warned in lines, "a busy machine is told"


def test_advice_is_below_its_check_and_again_at_the_end(cloud: Host) -> None:
    cloud.config(KEYS.join(["[profile x]\n", ""]))
    lines = ctl(cloud, "doctor", "missing", status=1).splitlines()

    place = next(n for n, line in enumerate(lines) if line.startswith("fail  profile"))
    assert "there is no profile missing in" in lines[place]
    assert "the profiles are: x" in lines[place]
    advice = "-> `credprocctl profile add missing` creates one that runs credproc"
    assert lines[place + 1] == " " * 24 + advice
    assert lines[-3].startswith("1 error, ")
    assert lines[-3].endswith("Look at this first:")
    assert lines[-2].startswith("  profile: there is no profile missing in")
    assert lines[-1] == f"  {advice}"


def test_nothing_is_cached_and_every_provider_is_called(
    cloud: Host, imds: ImdsServer, sts: StsServer
) -> None:
    checks = examine(cloud, "chain")

    assert cachedir.names(cloud.cache, ".entry") == cachedir.names(cloud.cache, ".lock") == []
    assert checks["imds"] == [
        ("ok", "does not apply here: this instance's role is app, not web", "")
    ]
    assert checks["source"][0][1] == "long-term keys ...MPLE, which are never cached"
    assert "account 123456789012" in checks["role 1"][0][1]
    assert "account 444455556666" in checks["role 2"][0][1]
    assert checks["answer"][0][1] == "comes from chain"
    assert checks["STS"][0][1] == f"{sts.url} answers (region eu-central-1, configured)"
    assert [text for _, text, _ in checks["clock"]] == ["agrees with IMDS", "agrees with STS"]
    assert [call.action for call in sts.calls] == ["AssumeRole", "AssumeRole", "GetCallerIdentity"]


@pytest.mark.parametrize(
    ("words", "env", "profile", "origin"),
    [
        ([], {}, "default", "the default"),
        ([], {"AWS_PROFILE": "app"}, "app", "from AWS_PROFILE"),
        ([], {"AWS_DEFAULT_PROFILE": "chain"}, "chain", "from AWS_DEFAULT_PROFILE"),
        # botocore's order, whatever one would expect of the names.
        ([], {"AWS_DEFAULT_PROFILE": "chain", "AWS_PROFILE": "app"}, "chain",
         "from AWS_DEFAULT_PROFILE"),
        (["app"], {"AWS_PROFILE": "chain"}, "app", ""),
        (["--profile", "app"], {"AWS_PROFILE": "chain"}, "app", ""),
    ],
)  # fmt: skip
def test_profile_is_the_one_that_tools_would_use(
    cloud: Host, words: list[str], env: dict[str, Any], profile: str, origin: str
) -> None:
    named = f"{profile} ({origin})" if origin else f"{profile}, line"

    assert examine(cloud, *words, **env)["profile"][0][1].startswith(named)


def test_without_any_config_the_bare_command_is_checked(host: Host, imds: ImdsServer) -> None:
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url

    checks = examine(host)

    assert set(bad(checks)) == {"config file", "profile"}
    assert checks["command"][0][1] == "credproc"
    assert checks["answer"][0][1] == "comes from imds"


def test_profile_that_does_not_run_credproc_is_checked_through_it(cloud: Host) -> None:
    checks = examine(cloud, "keys")

    assert "does not run credproc (it has no credential_process)" in bad(checks)["profile"]
    assert checks["command"][0][1] == "credproc --profile keys"
    assert "long-term keys ...MPLE" in checks["profile keys"][0][1]
    assert checks["cached"][0][1] == "never: long-term keys are not cached"
    assert "wrap the profiles that have source_profile = keys" in checks["profile"][0][2]


@pytest.mark.parametrize("name", ["my tools/credproc", "credproc of mine/bin/credproc"])
def test_path_with_spaces_and_without_quotes_is_reported(cloud: Host, name: str) -> None:
    path = str(cloud.home / name)
    os.makedirs(os.path.dirname(path))
    os.symlink(CREDPROC, path)
    cloud.config(f"[profile app]\ncredential_process = {path} --imds app\n")
    plain = bad(examine(cloud, "app", status=1))
    cloud.config(f"[profile app]\ncredential_process = '{path}' --imds app\n")
    quoted = examine(cloud, "app")

    assert f"the path {path} contains spaces, and ends at the first one" in plain["profile"]
    written = str(path).replace(" ", "\\ ")
    assert f"put a backslash before each: credential_process = {written} ..." in plain["profile"]
    assert "executable" not in plain
    assert quoted["profile"][0][0] == "ok"


def test_config_that_no_sdk_reads(cloud: Host) -> None:
    cloud.config("[profile app]\nnonsense\n")

    checks = examine(cloud, "app", status=1)

    assert "line 2: cannot be parsed as a config file" in bad(checks)["config file"]


@pytest.mark.parametrize(
    ("variable", "name"),
    [("AWS_CONFIG_FILE", "config file"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials file")],
)
def test_missing_file_that_a_variable_names(cloud: Host, variable: str, name: str) -> None:
    checks = examine(cloud, "--", "--imds", status=1, **{variable: "/proc/nowhere/at/all"})

    assert bad(checks)[name].endswith(f"-> unset {variable}, or make it the path of a file")


def test_file_that_other_users_can_read(cloud: Host) -> None:
    cloud.credentials(f"[keys]\n{KEYS}").chmod(0o644)
    (cloud.home / ".aws" / "config").chmod(0o666)

    found = bad(examine(cloud, "app"))

    assert "has mode 0644: other users have access -> chmod 600" in found["credentials file"]
    assert "has mode 0666: other users have access -> chmod 600" in found["config file"]


def test_keys_that_override_the_profile(cloud: Host) -> None:
    cloud.credentials(f"[app]\n{KEYS}")

    checks = examine(cloud, "app", status=1, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")

    assert "AWS_ACCESS_KEY_ID is set" in bad(checks)["environment"]
    assert "aws_access_key_id in" in checks["profile's keys"][0][1]
    assert checks["profile's keys"][0][0] == "fail"


def test_keys_of_the_environment_that_are_the_source(cloud: Host) -> None:
    checks = examine(
        cloud, "--", "--role-arn", JUMP, "--source", "env",
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="canary/Secret",
        AWS_EC2_METADATA_DISABLED="true",
    )  # fmt: skip

    assert bad(checks) == {}
    assert checks["environment"][0][1] == "its keys are the source of the chain"


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ("--nonsense", 1, "unknown option --nonsense"),
        ("--field AccessKeyId", 1, "tools need the JSON document"),
        ("--format env", 1, "tools need the JSON document"),
        ("--profile app", 1, "app -> app"),
        ("--refresh", 0, "--refresh fetches new credentials at every run"),
        ("--no-cache", 0, "--no-cache fetches new credentials at every run"),
        ("-v", 0, "some SDKs take text on stderr"),
        ("--timeout 60", 0, "the SDKs for Go give up after 60 s"),
        (f"--role-arn {JUMP} --duration-seconds 900 --source imds", 0, "runs credproc at every"),
        ("'open", 1, "cannot be parsed: no closing quotation"),
    ],
)
def test_command_line_with_a_fault(cloud: Host, options: str, status: int, words: str) -> None:
    cloud.config(f"[profile app]\ncredential_process = {CREDPROC} {options}\n")

    assert words in bad(examine(cloud, "app", status=status))["command"]


def script(host: Host, text: str) -> Path:
    """Write a program into the home."""
    path = host.home / "credproc"
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/proc/nowhere/credproc", 1, "no such file or directory"),
        ("credproc", 0, "is not an absolute path"),
        ("~/bin/credproc", 1, "not checked, because ~/bin/credproc is not expanded"),
    ],
)
def test_executable_that_does_not_exist(cloud: Host, path: str, status: int, words: str) -> None:
    cloud.config(f"[profile app]\ncredential_process = {path} --imds app\n")
    (cloud.folder / "tools" / "credproc").symlink_to(CREDPROC)

    assert words in bad(examine(cloud, "app", status=status))["executable"]


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("#!/bin/sh\necho broken >&2\nexit 3\n", 1, "--version fails (status 3): broken"),
        ("#!/bin/sh\necho credproc 0.0.1\n", 0, "0.0.1, starts in"),
        (f'#!/bin/sh\n:\nimport re\n:\nexec {CREDPROC} "$@"\n', 0, "written by an old installer"),
        ("#!/proc/nowhere\n", 1, "no such file or directory"),
    ],
)
def test_executable_with_a_fault(cloud: Host, text: str, status: int, words: str) -> None:
    path = script(cloud, text)
    cloud.config(f"[profile app]\ncredential_process = {path} --imds app\n")

    assert words in bad(examine(cloud, "app", status=status))["executable"]


def test_cache_that_cannot_be_used(cloud: Host) -> None:
    cloud.cache.parent.mkdir()
    cloud.cache.write_text("a file")
    found = bad(examine(cloud, "app"))
    off = bad(examine(cloud, "app", CREDPROC_CACHE_DIR="relative"))

    assert "is off, so every run fetches" in found["cache"]
    assert "cached" not in examine(cloud, "app"), "no run will cache anything"
    assert off["cache"] == (
        "is off, so every run fetches: CREDPROC_CACHE_DIR=relative is not an absolute path "
        "-> set it to an absolute path, or unset it"
    )


def test_cache_of_a_volume_that_others_may_write_to_is_off(cloud: Host) -> None:
    volume = cloud.folder / "volume"
    volume.mkdir()
    volume.chmod(0o777)

    found = bad(examine(cloud, "app", CREDPROC_CACHE_DIR=str(volume)))

    assert f"is off, so every run fetches: {volume} has mode 0777" in found["cache"]
    assert "set CREDPROC_CACHE_DIR to a directory of your own, mode 0700" in found["cache"]


def test_other_files_in_the_cache_are_reported(cloud: Host) -> None:
    cloud.run("--imds")
    (cloud.cache / f"{'a' * 32}.entry").write_text("x")
    (cloud.cache / "notes").write_text("x")

    checks = examine(cloud, "app")
    warnings = [text for status, text, _ in checks["cache"] if status == "warn"]

    assert "1 entries cannot be read" in warnings[0]
    assert "1 files are not credproc's (notes)" in warnings[1]


def test_lock_of_another_doctor_is_not_an_error(cloud: Host) -> None:
    from credproc.cache import fingerprint

    cloud.run("--imds")
    lock = os.open(cloud.cache / f"{fingerprint(b'doctor')}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert examine(cloud, "app")["cache lock"] == [("ok", "works", "")]
    finally:
        os.close(lock)


def test_log_that_slows_every_run_is_reported(cloud: Host) -> None:
    found = bad(examine(cloud, "app", CREDPROC_LOG=str(cloud.home / "log")))

    assert "logging slows down every run" in found["log"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("relative/log", "it must be an absolute path"),
        ("/proc/nowhere/at/all/log", "the directory /proc/nowhere/at/all does not exist"),
        ("{home}/link", "it is a symbolic link, which is not followed"),
        ("{home}", "is a directory"),
        ("/dev/null", "it is not a regular file of this user"),
    ],
)
def test_log_that_cannot_be_written_is_reported(cloud: Host, name: str, reason: str) -> None:
    path = name.format(home=cloud.home)
    (cloud.home / "link").symlink_to(cloud.home / "log")

    checks = examine(cloud, "app", status=1, CREDPROC_LOG=path)

    assert checks["log"] == [(
        "fail", f"CREDPROC_LOG={path}: nothing is written there: {reason}",
        "set it to the absolute path of a regular file of yours, or unset it",
    )]  # fmt: skip
    assert not (cloud.home / "log").exists()


def test_container_with_its_own_identity(cloud: Host) -> None:
    env: dict[str, Any] = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/proc/nowhere/token"}

    plain = examine(cloud, "default", status=1, **env)
    named = examine(cloud, "app", **env)

    assert "--imds without a role is unavailable" in bad(plain)["container"]
    assert "this container has its own identity" in bad(plain)["imds"]
    assert named["container"][0][0] == "ok"


@pytest.mark.parametrize(
    ("steer", "words"),
    [
        ("off", "IMDS is turned off for this instance"),
        ("no role", "this instance has no role"),
        ("hops", "the instance's metadata hop limit must be 2 or more"),
        ("broken", "IMDS gave no usable answer for"),
        ("untrusted", "AssumeRoleUnauthorizedAccess"),
    ],
)
def test_imds_with_a_fault(cloud: Host, imds: ImdsServer, steer: str, words: str) -> None:
    if steer == "off":
        imds.enabled = False
    elif steer == "no role":
        imds.role = None
    elif steer == "hops":
        imds.hops = 2
    elif steer == "broken":
        imds.fail("creds", faults.status(500))
    else:
        imds.trusted = False

    assert words in bad(examine(cloud, "app", status=1))["imds"]


def test_imds_that_is_out_of_reach(cloud: Host) -> None:
    with backlog_full() as url:
        found = examine(cloud, "app", status=1, AWS_EC2_METADATA_SERVICE_ENDPOINT=url)

    assert "this is not an EC2 instance, or a firewall blocks it" in bad(found)["imds"]


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "RegionDisabledException"])
def test_role_that_is_refused_is_named_with_its_code(
    cloud: Host, sts: StsServer, code: str
) -> None:
    sts.fail(error(code), role=APP)

    checks = examine(cloud, "chain", status=1)

    assert checks["role 1"][0][0] == "ok"
    assert checks["role 2"][0][0] == "fail"
    assert f"role 2 of 2, {APP}: {code}" in checks["role 2"][0][1]
    assert checks["chain"] == [("fail", "no credentials, because role 2 failed", "")]
    assert "answer" not in checks


def test_source_that_is_missing_is_named(cloud: Host) -> None:
    checks = examine(
        cloud, "--", "--role-arn", JUMP, "--role-arn", APP, "--source", "env", status=1
    )

    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set" in bad(checks)["source"]
    assert not {"role 1", "role 2"} & set(checks)


def test_provider_after_the_one_that_answers_is_checked_too(cloud: Host, sts: StsServer) -> None:
    sts.fail(error("AccessDenied"), role=JUMP)
    cloud.config(
        f"[profile both]\ncredential_process = {CREDPROC} --imds {CHAIN}\n[profile keys]\n{KEYS}"
    )

    checks = examine(cloud, "both")

    assert checks["answer"][0][1] == "comes from imds"
    assert checks["role 1"][0][0] == checks["chain"][0][0] == "warn"


def test_there_is_no_prompt_for_an_mfa_code(cloud: Host, sts: StsServer) -> None:
    words = ("--", "--role-arn", JUMP, "--serial-number", MFA, "--source", "profile:keys")

    checks = examine(cloud, *words)

    assert f"not checked, because role {JUMP} needs an MFA code of {MFA}" in bad(checks)["role 1"]
    assert bad(checks)["chain"] == "not checked, because role 1 needs an MFA code -> "
    assert "AssumeRole" not in [call.action for call in sts.calls]


def test_cached_role_with_mfa_can_assume_the_next_role(cloud: Host, sts: StsServer) -> None:
    options = (
        "--role-arn", JUMP, "--serial-number", MFA, "--role-arn", APP, "--source", "profile:keys",
    )  # fmt: skip
    cloud.document(*options, "--mfa-command", "/bin/echo 123456")
    calls = len(sts.calls)

    checks = examine(cloud, "--", *options)

    assert (checks["role 1"][0][0], checks["role 2"][0][0]) == ("ok", "ok")
    assert [call.action for call in sts.calls[calls:]] == ["AssumeRole", "GetCallerIdentity"]


@pytest.mark.parametrize(
    ("seconds", "status", "words"),
    [(30, "ok", "30 s ahead of"), (120, "warn", "120 s ahead of"), (-600, "fail", "600 s behind")],
)
def test_clock_that_is_off(cloud: Host, seconds: int, status: str, words: str) -> None:
    def clock() -> float:
        return time.time() - seconds

    with ImdsServer(clock=clock) as imds, StsServer(clock=clock) as sts:
        checks = examine(
            cloud, "chain", status=int(status == "fail"),
            AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url, AWS_ENDPOINT_URL_STS=sts.url,
        )  # fmt: skip

    for service, (found, text, _) in zip(("IMDS", "STS"), checks["clock"], strict=True):
        near = [words.replace(str(abs(seconds)), str(abs(seconds) + late)) for late in (-1, 0, 1)]
        assert found == status
        assert any(text.startswith(each) for each in near), text
        assert text.endswith(service)


def test_credentials_with_little_left(cloud: Host, sts: StsServer) -> None:
    sts.max_lifetime = 600

    found = bad(examine(cloud, "chain"))

    assert "botocore runs credproc at every request" in found["role 1"]


def test_expired_credentials_of_imds(cloud: Host) -> None:
    with ImdsServer(lifetime=100, clock=lambda: time.time() - 7200) as imds:
        found = examine(cloud, "app", status=1, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)

    assert "IMDS cannot renew them" in bad(found)["imds"]


def test_sts_with_an_untrusted_certificate(cloud: Host, tmp_path: Path) -> None:
    certificates = tls.make(tmp_path)
    with StsServer(tls=certificates.server) as sts:
        foreign = examine(cloud, "chain", status=1, AWS_ENDPOINT_URL_STS=sts.url)
        trusted = examine(
            cloud, "chain", AWS_ENDPOINT_URL_STS=sts.url, AWS_CA_BUNDLE=certificates.ca
        )
        missing = examine(
            cloud, "chain", status=1, AWS_ENDPOINT_URL_STS=sts.url, AWS_CA_BUNDLE="/proc/nowhere"
        )

    assert "set AWS_CA_BUNDLE" in bad(foreign)["STS"]
    assert "over TLS, with a trusted certificate" in trusted["STS"][0][1]
    assert (
        trusted["TLS"][0][1] == f"certificates are checked with {certificates.ca} (AWS_CA_BUNDLE)"
    )
    assert "AWS_CA_BUNDLE=/proc/nowhere: no such file" in bad(missing)["TLS"]


def test_sts_out_of_reach_and_proxies(cloud: Host) -> None:
    checks = examine(
        cloud, "chain", status=1, AWS_ENDPOINT_URL_STS="http://127.0.0.1:1",
        HTTPS_PROXY="http://user:geheim@127.0.0.1:1",
    )  # fmt: skip

    assert "check that the service runs, and the setting" in bad(checks)["STS"]
    assert "NO_PROXY does not name 169.254.169.254" in bad(checks)["proxy"]
    assert "geheim" not in str(checks)


@pytest.mark.parametrize(
    ("fault", "words"),
    needs.thinned(
        [
            (faults.html(), "is not from STS (status 200; a proxy or a captive portal?)"),
            (
                faults.body(b"<not <xml"),
                "is not from STS (status 200; a proxy or a captive portal?)",
            ),
            (faults.body(b"{}", "application/json"), "is not from STS (status 200;"),
            (faults.status(404, faults.PORTAL), "is not from STS (status 404;"),
            (faults.redirect(302, NOWHERE), "is not from STS (status 302;"),
            (faults.status(407), "requires credentials (407)"),
            (faults.status(503, faults.PORTAL), "returned a server error (503)"),
        ]
    ),
)
def test_response_that_is_not_from_sts_is_reported_and_the_other_checks_run(
    cloud: Host, sts: StsServer, fault: Fault, words: str
) -> None:
    cloud.document("--profile", "chain")
    sts.fail(fault, times=100)

    checks = examine(cloud, "chain", status=1)

    ((status, text, _),) = checks["STS"]
    assert status == "fail"
    assert text.startswith(f"{sts.url}: ")
    assert words in text
    assert [text for _, text, _ in checks["clock"]] == ["agrees with IMDS"]
    assert {"cached", "boto3"} <= set(checks)


@pytest.mark.parametrize(
    ("times", "status", "words"),
    [
        ({}, "ok", "; refreshed in the background from "),
        ({"ahead": -9}, "ok", "; refreshed before printing from "),
        ({"ahead": -9, "now": -5}, "ok", "; refreshed before printing"),
        ({"ahead": -9, "now": -5, "expiration": -3}, "ok", "expired 3 s ago; the next run fetches"),
    ],
)
def test_life_of_the_cached_answer(
    cloud: Host, times: dict[str, int], status: str, words: str
) -> None:
    cloud.run("--imds", "app")
    cachedir.change(cloud.cache, **times)

    (found,) = examine(cloud, "app")["cached"]

    assert found[0] == status
    assert words in re.sub(r"expired \d+ s", "expired 3 s", found[1])


def test_failure_that_is_cached(cloud: Host, imds: ImdsServer) -> None:
    imds.role = None
    cloud.run("--imds", "app")
    imds.role = "app"

    found = bad(examine(cloud, "app"))

    assert "only a failure: imds: this instance has no role" in found["cached"]


def test_profiles_command_is_run_if_its_answer_is_fresh(cloud: Host, imds: ImdsServer) -> None:
    cloud.run("--imds", "app")
    good = examine(cloud, "app")
    path = script(
        cloud, "#!/bin/sh\ncase $1 in --version) echo credproc 0.1.0;; *) echo boo >&2\nesac\n"
    )
    cloud.config((cloud.home / ".aws" / "config").read_text().replace(str(CREDPROC), str(path)))
    cloud.run("--imds", "app")

    broken = examine(cloud, "app", status=1)

    assert "the profile's command prints the cached answer in " in good["run"][0][1]
    assert "the profile's command fails (status 0): boo" in bad(broken)["run"]


def test_tools_that_are_found(cloud: Host) -> None:
    tools = cloud.folder / "tools"
    for name, text in {
        "aws": "echo aws-cli/1.18.69 Python/3.8 Linux botocore/1.16.19",
        "terraform": ":",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)

    checks = examine(cloud, "app")
    (tools / "aws").write_text("#!/bin/sh\necho broken\nexit 1\n")
    broken = bad(examine(cloud, "app"))

    assert "drops the account of the credentials (botocore 1.16.19)" in bad(checks)["aws"]
    assert "if you type MFA codes: terraform" in checks["Go tools"][0][1]
    assert "--version fails (status 1): broken" in broken["aws"]


def test_no_secret_is_shown(cloud: Host, imds: ImdsServer, sts: StsServer) -> None:
    sts.fail(error("AccessDenied"), role=APP)
    said = ""
    for words in (["app"], ["chain"], ["keys"], ["chain", "-v"]):
        result = Inside(cloud).run("doctor", *words)
        said += result.stdout.decode() + result.stderr

    secrets = imds.secrets | sts.secrets | {"geheim", "canary/Secret"}
    assert not [secret for secret in secrets if secret in said]
    assert "imds: GET" in said  # which -v tells


def test_profile_and_options_cannot_be_combined(host: Host) -> None:
    assert "not both" in failed(host, "doctor", "app", "--", "--imds", status=2)


def test_refresh_that_fails_is_reported(cloud: Host) -> None:
    cloud.run("--imds", "app")
    for entry in cachedir.entries(cloud.cache):
        entry.failure = "imds: status 500"
        Store(str(cloud.cache)).write(entry)

    assert "the last refresh failed: imds: status 500" in bad(examine(cloud, "app"))["cached"]


def test_change_since_the_answer_was_cached_is_reported(cloud: Host) -> None:
    cloud.run("--imds", "app")
    path = cloud.config(f"[profile app]\ncredential_process = {CREDPROC} --imds app\n")

    ((status, text, _),) = examine(cloud, "app")["cached"]

    assert status == "ok"
    assert text.startswith(f"no longer valid ({path} has changed)")


def test_region_comes_from_the_instance(cloud: Host, imds: ImdsServer) -> None:
    options = ("--", "--role-arn", JUMP, "--source", "imds")

    found = examine(cloud, *options, AWS_REGION=None)
    imds.stop()
    gone = examine(cloud, *options, status=1, AWS_REGION=None)

    assert f"(region {imds.region}, the instance's)" in found["STS"][0][1]
    assert "STS" not in gone


def test_profile_that_leads_nowhere(cloud: Host) -> None:
    cloud.config(f"[profile loop]\nrole_arn = {JUMP}\nsource_profile = loop\n")

    found = examine(cloud, "loop", status=1)

    assert "source_profile" in bad(found)["profile loop"]
    assert "STS" not in found


def test_proxy_that_does_not_answer(cloud: Host) -> None:
    checks = examine(
        cloud, "chain", status=1, AWS_ENDPOINT_URL_STS="https://sts.example.com",
        HTTPS_PROXY="http://127.0.0.1:1", NO_PROXY="169.254.169.254",
    )  # fmt: skip

    assert bad(checks)["STS"].endswith("-> check HTTPS_PROXY")
    assert len(checks["proxy"]) == 1


def test_proxy_that_the_aws_tools_do_not_use(cloud: Host) -> None:
    ((status, text, _),) = examine(cloud, "chain", ALL_PROXY="http://127.0.0.1:1")["proxy"]

    assert status == "ok"
    assert "do not use ALL_PROXY" in text


def test_proxy_that_is_used_is_checked_if_all_proxy_is_set_too(cloud: Host) -> None:
    nowhere = "http://127.0.0.1:1"
    checks = examine(cloud, "chain", ALL_PROXY=nowhere, HTTPS_PROXY=nowhere)["proxy"]

    assert [status for status, _, _ in checks] == ["ok", "warn"]
    assert checks[0][1].startswith("HTTPS_PROXY is set")
    assert checks[1][1].startswith("NO_PROXY does not name 169.254.169.254")


@pytest.mark.parametrize(
    ("words", "advice"),
    [(("app",), "`credprocctl profile add app --replace -- --imds --profile NAME`"),
     (("--", "--imds"), "to check a profile: `credprocctl doctor PROFILE`")],
)  # fmt: skip
def test_laptop_is_told_what_to_use_instead_of_imds(
    cloud: Host, words: tuple[str, ...], advice: str
) -> None:
    nowhere = "http://127.0.0.1:1"
    checks = examine(cloud, *words, status=1, AWS_EC2_METADATA_SERVICE_ENDPOINT=nowhere)

    assert bad(checks)["imds"].endswith(advice)


KEYS_ALONE = ("--", "--role-arn", JUMP, "--source", "profile:keys")


@pytest.mark.parametrize("words", [("chain",), KEYS_ALONE], ids=["after-imds", "keys-alone"])
def test_instance_has_a_role_that_the_profile_does_not_give(
    cloud: Host, words: tuple[str, ...]
) -> None:
    ((status, text, advice),) = examine(cloud, *words)["instance"]

    assert status == "warn"
    assert text.startswith("this instance has the role app, which this profile does not use")
    assert advice.startswith("set AWS_EC2_METADATA_DISABLED=true where they run")
    assert "instance" not in examine(cloud, *words, AWS_EC2_METADATA_DISABLED="true")


@pytest.mark.parametrize(
    "words", ["-- --role-arn ROLE --source imds", "-- --imds web --profile leaf"]
)
def test_profile_assumes_a_role_with_that_of_the_instance(cloud: Host, words: str) -> None:
    with_leaf(cloud)
    ((status, text, advice),) = examine(cloud, *words.replace("ROLE", JUMP).split())["instance"]

    assert status == "warn"
    assert "has the role app, which this profile uses only to assume another" in text
    assert advice.endswith("or use credprocctl exec --env")


@pytest.mark.parametrize("words", ["app", "-- --profile same"])
def test_profile_that_gives_the_role_of_the_instance(cloud: Host, words: str) -> None:
    with_leaf(cloud)

    assert "instance" not in examine(cloud, *words.split())


def with_leaf(cloud: Host) -> None:
    """Add two profiles that start from the instance's role: one assumes another, one gives it."""
    config = cloud.home / ".aws" / "config"
    leaf = f"[profile leaf]\nrole_arn = {APP}\ncredential_source = Ec2InstanceMetadata\n"
    same = f"[profile same]\ncredential_process = {CREDPROC} --imds\n"
    config.write_text(config.read_text() + leaf + same)


def test_instance_without_a_role_needs_no_warning(cloud: Host, imds: ImdsServer) -> None:
    imds.role = None

    assert "instance" not in examine(cloud, *KEYS_ALONE)


def test_ec2_is_known_by_its_firmware(tmp_path: Path) -> None:
    vendor, missing = tmp_path / "sys_vendor", tmp_path / "bios_version"
    firmware = [(str(missing), "amazon"), (str(vendor), "Amazon EC2")]

    assert not instance.is_ec2(firmware)
    vendor.write_text("QEMU\n")
    assert not instance.is_ec2(firmware)
    vendor.write_text("Amazon EC2\n")
    assert instance.is_ec2(firmware)


def test_role_that_is_detached_during_the_check(cloud: Host, imds: ImdsServer) -> None:
    imds.fail("list", faults.status(404), nth=2)

    assert "the role is ?" in examine(cloud, "app")["metadata"][0][1]


def test_config_file_alone_in_another_place(cloud: Host) -> None:
    path = cloud.folder / "other"
    path.write_text(f"[default]\ncredential_process = {CREDPROC}\n")

    checks = examine(cloud, AWS_CONFIG_FILE=str(path))

    assert "(from AWS_CONFIG_FILE)" in checks["config file"][0][1]


def test_profile_in_the_credentials_file_alone(cloud: Host) -> None:
    cloud.credentials(f"[only]\n{KEYS}")

    checks = examine(cloud, "only")

    assert f"line 1 of {cloud.home}/.aws/credentials" in checks["profile"][0][1]
