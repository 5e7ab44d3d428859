"""Where IMDS is, and how long it may take, is what the SDKs' settings say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import InvalidIMDSEndpointModeError
from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode

from credproc.errors import ProviderUnavailable, RequestError
from credproc.providers.imdssettings import IPV4, Settings, settings

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
TIMEOUT = "AWS_METADATA_SERVICE_TIMEOUT"
ATTEMPTS = "AWS_METADATA_SERVICE_NUM_ATTEMPTS"
LOCAL = "http://127.0.0.1:1338"


def read(environ: dict[str, str] | None = None, said: list[str] | None = None) -> Settings:
    """Read the settings of an environment that has no config file but its own."""
    log = [] if said is None else said
    return settings({"AWS_CONFIG_FILE": os.devnull, **(environ or {})}, log.append)


def configured(tmp_path: Path, config: str, **environ: str) -> dict[str, str]:
    path = tmp_path / "config"
    path.write_text(config, encoding="utf-8")
    return {"AWS_CONFIG_FILE": str(path), **environ}


def test_default_is_the_link_local_address_for_two_seconds() -> None:
    chosen = read()
    assert chosen.url == IPV4 == "http://169.254.169.254"
    assert (chosen.host, chosen.port, chosen.path) == ("169.254.169.254", 80, "")
    assert (chosen.seconds, chosen.patience, chosen.attempts) == (2, 1, 4)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        (LOCAL, "127.0.0.1", 1338, ""),
        (LOCAL + "/", "127.0.0.1", 1338, ""),
        ("http://[::1]:8080/base/", "::1", 8080, "/base"),
        ("http://imds.example", "imds.example", 80, ""),
        ("HTTP://LOCALHOST", "localhost", 80, ""),
        ("http://[fe80::1%25eth0]", "fe80::1%25eth0", 80, ""),
    ],
)
def test_endpoint_is_taken_apart(url: str, host: str, port: int, path: str) -> None:
    chosen = read({ENDPOINT: url})
    assert (chosen.host, chosen.port, chosen.path) == (host, port, path)


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "127.0.0.1:80",
        "https://127.0.0.1",
        "ftp://127.0.0.1",
        "http://",
        "http:///latest",
        "http://127.0.0.1:x",
        "http://127.0.0.1:70000",
        "http://[::1",
        "http://127.0.0.1?x=1",
        "http://127.0.0.1#x",
        "http://127.0.0.1 /",
        "http://a b/",
        "http://127.0.0.1/\x1b[31m",
        "http://127.0.0.1/\r\nX: 1",
        "http://schlüssel.example/",
        "http://user:hunter2@127.0.0.1",
    ],
)
def test_endpoint_that_cannot_be_one_is_named(url: str) -> None:
    with pytest.raises(RequestError) as caught:
        read({ENDPOINT: url})
    assert f"{ENDPOINT} (or its config key): must be an address like {IPV4}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "tRuE"])
def test_imds_can_be_turned_off(value: str) -> None:
    with pytest.raises(ProviderUnavailable, match="turned off by AWS_EC2_METADATA_DISABLED") as it:
        read({"AWS_EC2_METADATA_DISABLED": value})
    assert not it.value.certain


@pytest.mark.parametrize("value", ["1", "yes", "on", " true", "disabled"])
def test_only_true_turns_imds_off_and_other_values_are_logged(value: str) -> None:
    said: list[str] = []
    assert read({"AWS_EC2_METADATA_DISABLED": value}, said).url == IPV4
    assert said == [
        f"imds: AWS_EC2_METADATA_DISABLED={value} has no effect; only `true` turns IMDS off"
    ]


@pytest.mark.parametrize("value", ["", "false", "False"])
def test_nothing_is_logged_if_imds_is_on(value: str) -> None:
    said: list[str] = []
    read({"AWS_EC2_METADATA_DISABLED": value}, said)
    assert said == []


@pytest.mark.parametrize("value", ["ipv5", "6", "dualstack", "ipv6 "])
def test_unknown_mode_is_named(value: str) -> None:
    with pytest.raises(RequestError, match=f"{MODE} .*must be ipv4 or ipv6, not {value}"):
        read({MODE: value})


@pytest.mark.parametrize(
    ("timeout", "attempts", "seconds", "patience", "tries"),
    [
        ("", "", 2, 1, 4),
        ("1", "1", 2, 1, 4),
        ("5", "", 5, 5, 4),
        ("", "10", 10, 1, 10),
        ("2", "3", 6, 2, 4),
        ("0010", "1", 10, 10, 4),
    ],
)
def test_time_and_tries_are_never_fewer(
    timeout: str, attempts: str, seconds: float, patience: float, tries: int
) -> None:
    chosen = read({TIMEOUT: timeout, ATTEMPTS: attempts})
    assert (chosen.seconds, chosen.patience, chosen.attempts) == (seconds, patience, tries)


@pytest.mark.parametrize("name", [TIMEOUT, ATTEMPTS])
@pytest.mark.parametrize("value", ["0", "-1", "0.5", "x", "3601", "1e3", "²", "9" * 5000])
def test_invalid_number_is_named(name: str, value: str) -> None:
    with pytest.raises(RequestError, match=f"{name} .*must be a whole number from 1 to 3600"):
        read({name: value})


@pytest.mark.parametrize(
    ("url", "is_near"),
    [
        (LOCAL, True),
        ("http://127.9.9.9", True),
        ("http://[::1]", True),
        ("http://localhost", True),
        ("http://169.254.169.254", True),
        ("http://169.254.170.2", True),
        ("http://[fd00:ec2::254]", True),
        ("http://[fd00:0ec2:0::0254]", True),
        ("http://[fe80::1]", True),
        ("http://10.0.0.1", False),
        ("http://[fd00::1]", False),
        ("http://127.0.0.1.example", False),
        ("http://imds.example", False),
    ],
)
def test_remote_endpoint_is_used_and_logged(url: str, is_near: bool) -> None:
    said: list[str] = []
    assert read({ENDPOINT: url}, said).url == url
    assert is_near == (said == [])
    assert is_near or f"{url} is neither on this machine nor link-local" in said[0]


# What botocore reads, read the same.

CONFIGS = {
    "none": "",
    "default": f"[default]\nec2_metadata_service_endpoint = {LOCAL}\n",
    "default, written as a profile": f"[profile default]\nec2_metadata_service_endpoint={LOCAL}\n",
    "default twice": f"[profile default]\nec2_metadata_service_endpoint = {LOCAL}\n"
    "[default]\nec2_metadata_service_endpoint = http://127.0.0.2\n",
    "another profile": f"[default]\n[profile dev]\nec2_metadata_service_endpoint = {LOCAL}\n",
    "a name in quotes": f'[profile "dev"]\nec2_metadata_service_endpoint = {LOCAL}\n',
    "blanks in the name": f"[profile   dev]\nec2_metadata_service_endpoint = {LOCAL}\n",
    "no profile": f"[dev]\nec2_metadata_service_endpoint = {LOCAL}\n",
    "a broken name": f'[profile "dev]\nec2_metadata_service_endpoint = {LOCAL}\n',
    "session of the same name": f"[sso-session dev]\nec2_metadata_service_endpoint = {LOCAL}\n",
    "capitals": f"[default]\nEC2_Metadata_Service_Endpoint = {LOCAL}\n",
    "nested": f"[default]\ns3 =\n  ec2_metadata_service_endpoint = {LOCAL}\n",
    "indented": f"[default]\nregion = eu-central-1\n  ec2_metadata_service_endpoint = {LOCAL}\n",
    "nested before": "[default]\ns3 =\n  addressing_style = path\n"
    f"ec2_metadata_service_endpoint = {LOCAL}\n",
    "commented out": f"[default]\n# ec2_metadata_service_endpoint = {LOCAL}\n",
    "empty": "[default]\nec2_metadata_service_endpoint =\n",
    "mode": "[default]\nec2_metadata_service_endpoint_mode = IPv6\n",
    "mode and endpoint": "[default]\nec2_metadata_service_endpoint_mode = ipv6\n"
    f"ec2_metadata_service_endpoint = {LOCAL}\n",
    "old name": "[default]\nimds_use_ipv6 = True\n",
    "old name, off": "[default]\nimds_use_ipv6 = false\n",
    "old name and mode": "[default]\nimds_use_ipv6 = true\n"
    "ec2_metadata_service_endpoint_mode = ipv4\n",
    "bad mode": "[default]\nec2_metadata_service_endpoint_mode = ipv5\n",
    "numbers": "[default]\nmetadata_service_timeout = 3\nmetadata_service_num_attempts = 5\n",
}
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "nothing": {},
    "profile": {"AWS_PROFILE": "dev"},
    "default profile": {"AWS_DEFAULT_PROFILE": "dev"},
    "both": {"AWS_PROFILE": "default", "AWS_DEFAULT_PROFILE": "dev"},
    "endpoint": {ENDPOINT: "http://127.0.0.3:81/x"},
    "mode": {MODE: "ipv6"},
    "other mode": {MODE: "ipv4"},
    "old name": {"AWS_IMDS_USE_IPV6": "TRUE"},
    "old name, odd": {"AWS_IMDS_USE_IPV6": "1"},
    "old name and mode": {"AWS_IMDS_USE_IPV6": "true", MODE: "ipv4"},
    "numbers": {TIMEOUT: "2", ATTEMPTS: "7"},
}


def botocores(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return botocore's endpoint, time-out and attempts; or the class of what it raises.

    It refuses profiles that are not there; then nothing is configured.
    """
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session()
    if session.profile and session.profile not in session.available_profiles:
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        monkeypatch.delenv("AWS_DEFAULT_PROFILE", raising=False)
        session = botocore.session.Session()
    try:
        mode = resolve_imds_endpoint_mode(session)
    except InvalidIMDSEndpointModeError:
        return RequestError
    endpoint = session.get_config_variable("ec2_metadata_service_endpoint")
    fetcher: Any = InstanceMetadataFetcher(
        timeout=session.get_config_variable("metadata_service_timeout"),
        num_attempts=session.get_config_variable("metadata_service_num_attempts"),
        config={
            "ec2_metadata_service_endpoint": endpoint,
            "ec2_metadata_service_endpoint_mode": mode,
        },
    )
    return fetcher._base_url.rstrip("/"), fetcher._timeout, fetcher._num_attempts


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("variables", ENVIRONMENTS)
def test_settings_are_botocores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, variables: str
) -> None:
    environ = configured(tmp_path, CONFIGS[config], **ENVIRONMENTS[variables])
    monkeypatch.delenv(ENDPOINT, raising=False)
    expected = botocores(environ, monkeypatch)
    try:
        chosen = read(environ)
    except RequestError:
        assert expected is RequestError
        return
    assert expected is not RequestError
    url, timeout, attempts = expected
    assert chosen.url + chosen.path == url
    assert chosen.patience == timeout
    assert chosen.seconds == max(2, timeout * attempts)
    assert chosen.attempts == max(4, attempts)


@pytest.mark.parametrize("name", [ENDPOINT, MODE, TIMEOUT, ATTEMPTS, "AWS_PROFILE"])
def test_empty_variable_counts_for_nothing(tmp_path: Path, name: str) -> None:
    environ = configured(tmp_path, CONFIGS["default"], **{name: ""})
    assert read(environ).url == LOCAL


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ("ec2_metadata_service_endpoint = x\n", ", line 1"),
        ("[default]\nec2_metadata_service_endpoint\n", ", line 2"),
        ("\ufeff[default]\nec2_metadata_service_endpoint = x\n", ", line 1"),
    ],
)
def test_config_that_cannot_be_read_is_named(tmp_path: Path, config: str, where: str) -> None:
    environ = configured(tmp_path, config)
    with pytest.raises(RequestError) as caught:
        read(environ)
    assert f"config{where}: cannot be parsed as a config file" in str(caught.value)


def test_config_in_another_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(
        f"# sch\xf6n\n[default]\nec2_metadata_service_endpoint={LOCAL}\n".encode("latin-1")
    )
    assert read({"AWS_CONFIG_FILE": str(path)}).url == LOCAL


def test_config_that_does_not_speak_of_imds_is_not_parsed(tmp_path: Path) -> None:
    assert read(configured(tmp_path, "this is no config\n")).url == IPV4


@pytest.mark.parametrize("path", ["", "absent/config", "/", "a\0b"])
def test_missing_config_has_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read({"AWS_CONFIG_FILE": path}).url == IPV4
