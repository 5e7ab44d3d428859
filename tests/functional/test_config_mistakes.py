"""Mistakes in the config files, which all commands of credprocctl report alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.ctl import ctl, failed
from tests.harness import CREDPROC
from tests.servers.moto import Moto

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host

KEYS = (
    "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
)
ROLE = "arn:aws:iam::123456789012:role/r"


def doctor(host: Host, *words: str, status: int) -> list[dict[str, str]]:
    """Return what the doctor finds."""
    found = json.loads(ctl(host, "doctor", *words, "--output", "json", status=status))
    checks: list[dict[str, str]] = found["checks"]
    return checks


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("[p]", "[p] must be written [profile p]"),
        ("[Profile p]", "[Profile p] must be written [profile p]"),
        ("[profile\xa0p]", "[profile<U+00A0>p] must be written [profile p]: it contains U+00A0"),
    ],
)
def test_header_that_is_nearly_right_is_never_answered_by_another_profile(
    header: str, message: str, host: Host
) -> None:
    path = host.config(f"\n{header}\n{KEYS}")
    before = path.read_text(encoding="utf-8")
    where = f"{path}, line 2: {message}"

    assert where in failed(host, "explain", "p", status=2)
    assert where in failed(host, "profile", "show", "p", status=2)
    assert where in failed(host, "profile", "add", "p", "--", "--imds", status=2)
    checks = doctor(host, "p", status=1)
    said = next(each for each in checks if each["name"] == "profile")
    assert where in said["text"]
    assert said["advice"] == "correct that header"
    assert path.read_text(encoding="utf-8") == before


def test_profile_with_a_similar_name_can_be_added(host: Host) -> None:
    host.config(f"[profile P]\n{KEYS}# [profile p]\n")

    assert "upper and lower case differ" in failed(host, "explain", "p", status=2)
    ctl(host, "profile", "add", "p", "--", "--imds")


def test_line_in_the_credentials_file_works_like_one_in_the_config(online: Host) -> None:
    path = online.credentials(f"[app]\ncredential_process = {CREDPROC} --imds\n")

    checks = doctor(online, "app", status=0)

    assert {each["status"] for each in checks if each["name"] in ("config file", "profile")} == {
        "ok"
    }
    assert f"line 1 of {path}" in next(e["text"] for e in checks if e["name"] == "profile")
    assert f"{path}, line 1" in ctl(online, "profile", "show", "app")


def test_default_with_two_sections_is_read_as_botocore_reads_it(host: Host) -> None:
    path = host.config(f"[default]\nregion = eu-west-1\n[profile default]\n{KEYS}")

    checks = doctor(host, "default", status=0)

    assert "has two sections, [default] on line 1 and [profile default] on line 3" in str(checks)
    assert "long-term keys ...MPLE" in str(checks)
    assert "...MPLE" in ctl(host, "explain", "default")
    path.write_text(path.read_text().replace(KEYS, "output = json\n"))
    assert "has two sections" in failed(host, "profile", "add", "default", "--", "--imds", status=2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{CREDPROC} --imds # the app", "everything after # is part of the command"),
        (f'"{CREDPROC} --imds"', "the quotes make the whole line the name of one program"),
        ("~/bin/credproc --imds", "~ is not expanded"),
        (f"{CREDPROC} --imds 2>/dev/null", "no shell reads the line, so 2>/dev/null is passed as"),
    ],
)
def test_line_of_credproc_that_needs_a_shell_is_reported(
    line: str, message: str, online: Host
) -> None:
    online.config(f"[profile app]\ncredential_process = {line}\n")

    assert message in str(doctor(online, "app", status=1))
    assert message in ctl(online, "profile", "show", "app")


def test_file_that_only_botocore_cannot_read_is_reported_with_the_line(host: Host) -> None:
    path = host.config(f"[profile a]\ns3 =\n  max_concurrent_requests: 20\n[profile p]\n{KEYS}")
    where = f"{path}, line 3: cannot be parsed as a config file"

    checks = doctor(host, "p", status=1)

    assert where in checks[0]["text"]
    assert "and other tools may read it differently" in checks[0]["advice"]
    assert where in failed(host, "profile", "add", "zz", "--", "--imds", status=2)


@pytest.mark.needs("python:moto")
def test_substitute_for_sts_that_refuses_unsigned_calls_is_not_an_error(
    host: Host, tmp_path: Path
) -> None:
    host.config(f"[profile k]\n{KEYS}[profile p]\nregion = eu-west-1\nrole_arn = {ROLE}\n"
                "source_profile = k\n")  # fmt: skip
    with Moto(tmp_path) as moto:
        host.environ |= {"AWS_ENDPOINT_URL": moto.url}
        checks = doctor(host, "p", status=0)

    assert "role 1 was just assumed there (region eu-west-1" in str(checks)
