"""The identity of a request: all that can change the answer is part of it, and no secret is."""

from __future__ import annotations

import os
import re
import types
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import botocore.configloader
import botocore.session
import pytest
from botocore.exceptions import ConfigNotFound
from hypothesis import given, settings
from hypothesis import strategies as st

from credproc import options
from credproc.identity import (
    VERSION,
    _instance,
    _stamp,
    _token_mark,
    config_path,
    join,
    of_providers,
    of_request,
)
from credproc.request import Chain, Hop, Imds, Profile, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/b"
IMDS = ["--imds"]
CHAIN = ["--role-arn", A, "--source", "env"]
#: One request of each kind of source.
REQUESTS = {
    "imds": IMDS,
    "env": CHAIN,
    "source imds": ["--role-arn", A, "--source", "imds"],
    "container": ["--role-arn", A, "--source", "container"],
    "web-identity": ["--role-arn", A, "--source", "web-identity"],
    "source profile": ["--role-arn", A, "--source", "profile:p"],
    "profile": ["--profile", "p"],
}
PROFILES = ("source profile", "profile")
CHAINS = tuple(name for name in REQUESTS if name != "imds")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with the two config files, and a home without any."""
    for name in ("config", "credentials", "token", "other"):
        (tmp_path / name).write_text("[default]\n")
    return {
        "HOME": str(tmp_path / "home"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


def identity(argv: list[str], environ: Mapping[str, str]) -> bytes:
    """Return the identity of a command line, which must be a correct one."""
    return of_request(options.parse(argv), environ)


def identities(environ: Mapping[str, str]) -> dict[str, bytes]:
    """Return the identity of each request in the table."""
    return {kind: identity(argv, environ) for kind, argv in REQUESTS.items()}


# Options.

#: Each option of a hop with a value; what it is appended to is a correct chain.
HOP_OPTIONS = {
    "--role-session-name": "me",
    "--external-id": "42",
    "--duration-seconds": "900",
    "--policy": "{}",
    "--policy-arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "--tag": "team=blue",
    "--transitive-tag-key": "team",
    "--source-identity": "alice",
    "--serial-number": "GAHT12345678",
    "--sts-region": "eu-central-1",
}
#: Options that say how a run is made or printed, and not whose credentials are meant.
ELSEWHERE = {
    "--format": ["env"],
    "--field": ["AccessKeyId"],
    "--mfa-command": ["oathtool x"],
    "--refresh": [],
    "--no-cache": [],
    "--cache-dir": ["/tmp/c"],
    "--timeout": ["5"],
    "--verbose": [],
    "-v": [],
}
PROVIDERS = {"--imds", "--role-arn", "--source", "--profile"}


def test_every_option_is_in_one_of_the_tables() -> None:
    known = {*HOP_OPTIONS, *ELSEWHERE, *PROVIDERS, "--version", "--help", "-h"}

    assert known == set(options.parser().options)
    assert {f"--{name.replace('_', '-')}" for name in vars(Hop(A))} == {*HOP_OPTIONS, "--role-arn"}


@pytest.mark.parametrize("option", HOP_OPTIONS)
def test_option_of_a_hop_changes_the_identity(option: str, environ: dict[str, str]) -> None:
    value = HOP_OPTIONS[option]
    other = {"--policy": '{"a":1}', "--duration-seconds": "901"}.get(option, value + "x")
    argvs = [CHAIN, [*CHAIN, option, value], [*CHAIN, option, other]]

    assert len({identity(argv, environ) for argv in argvs}) == 3


@pytest.mark.parametrize("option", sorted(set(HOP_OPTIONS) - {"--source-identity"}))
def test_option_of_one_hop_is_not_the_same_as_of_another(
    option: str, environ: dict[str, str]
) -> None:
    value = HOP_OPTIONS[option]
    first = ["--role-arn", A, option, value, "--role-arn", A, "--source", "env"]
    second = ["--role-arn", A, "--role-arn", A, option, value, "--source", "env"]

    assert identity(first, environ) != identity(second, environ)


@pytest.mark.parametrize("option", ELSEWHERE)
def test_option_that_says_how_changes_nothing(option: str, environ: dict[str, str]) -> None:
    more = [option, *ELSEWHERE[option]]

    for argv in REQUESTS.values():
        assert identity([*argv, *more], environ) == identity(argv, environ)


def test_providers_and_their_order_are_told_apart(environ: dict[str, str]) -> None:
    argvs = [
        [],
        ["--imds", "app"],
        ["--imds", "other"],
        ["--profile", "app"],
        ["--profile", "imds"],
        ["--imds", "--profile", "app"],
        ["--profile", "app", "--imds"],
        ["--imds", "app", "--imds"],
        ["--imds", "--imds", "app"],
        CHAIN,
        ["--role-arn", B, "--source", "env"],
        ["--role-arn", A, "--role-arn", B, "--source", "env"],
        ["--role-arn", B, "--role-arn", A, "--source", "env"],
        ["--role-arn", A, "--role-arn", A, "--source", "env"],
        *(["--role-arn", A, "--source", source] for source in ("imds", "imds:app", "container")),
        *(["--role-arn", A, "--source", source] for source in ("web-identity", "profile:app")),
        [*CHAIN, "--imds"],
        ["--imds", *CHAIN],
        ["--imds", "chain", *CHAIN],
    ]

    assert len({identity(argv, environ) for argv in argvs}) == len(argvs)
    assert identity([], environ) == identity(["--imds"], environ)


#: Whatever the joined parts themselves are made of.
WORDS = st.sampled_from(
    [
        *("", "a", "b", "0", "1", "2", "imds", "chain", "profile", "env", "AWS_REGION=x", "\udce9"),
        *("tag:0", "tag:1", "tag:2", "policy_arn:1", "role_arn:1", "transitive_tag_key:0"),
    ]
)


@st.composite
def hops(draw: st.DrawFn) -> Hop:
    """Draw a hop of any parameters."""
    hop = Hop(draw(WORDS))
    for name, value in vars(hop).items():
        if isinstance(value, list):
            setattr(hop, name, draw(st.lists(WORDS, max_size=3)))
        elif isinstance(value, str) and name != "role_arn":
            setattr(hop, name, draw(st.one_of(st.just(""), WORDS)))
    hop.duration_seconds = draw(st.sampled_from([0, 1, 900]))
    return hop


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Draw a chain."""
    chain = Chain()
    chain.source = draw(WORDS)
    chain.hops = draw(st.lists(hops(), max_size=2))
    return chain


PROVIDER_LISTS = st.lists(
    st.one_of(st.builds(Imds, WORDS), st.builds(Profile, WORDS), chains()), max_size=3
)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Request, Request]:
    """Draw two requests: of anything, or with one value in another place."""
    one, two = Request(), Request()
    one.providers = draw(PROVIDER_LISTS)
    two.providers = draw(st.one_of(PROVIDER_LISTS, st.just([*one.providers])))
    lists = ["tag", "policy_arn", "transitive_tag_key"]
    for provider in two.providers:
        if isinstance(provider, Chain) and provider.hops:
            moved = Chain()
            moved.source, moved.hops = provider.source, [_copy(hop) for hop in provider.hops]
            taken = getattr(draw(st.sampled_from(moved.hops)), draw(st.sampled_from(lists)))
            given = getattr(draw(st.sampled_from(moved.hops)), draw(st.sampled_from(lists)))
            if taken:
                given.insert(draw(st.integers(0, len(given))), taken.pop())
            two.providers = [moved if each is provider else each for each in two.providers]
    return one, two


def _copy(hop: Hop) -> Hop:
    made = Hop(hop.role_arn)
    for name, value in vars(hop).items():
        setattr(made, name, [*value] if isinstance(value, list) else value)
    return made


@settings(max_examples=400, deadline=None)
@given(neighbours())
def test_no_two_requests_have_one_identity(pair: tuple[Request, Request]) -> None:
    one, two = pair

    same = of_request(one, {}) == of_request(two, {})
    assert same == (one.providers == two.providers)


def test_lists_of_a_hop_are_not_confused_by_values_that_look_like_their_names() -> None:
    seen = set()
    for policy_arn, tag, keys in (
        (["tag"], [], []),
        ([], ["tag"], []),
        (["tag", "tag"], [], []),
        (["tag"], ["tag"], []),
        ([], ["tag", "tag"], []),
        ([], ["transitive_tag_key"], []),
        ([], [], ["transitive_tag_key"]),
        (["tag:1", "a"], ["b"], []),
        (["tag:1"], ["a", "b"], []),
        (["a"], ["b", "c"], ["d"]),
        (["a", "b"], ["c"], ["d"]),
        (["a"], ["b"], ["c", "d"]),
    ):
        hop = Hop(A)
        hop.policy_arn, hop.tag, hop.transitive_tag_key = policy_arn, tag, keys
        seen.add("\0".join(hop.identity()))

    assert len(seen) == 12


# Variables.

CONTAINER = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
#: The requests whose answer a variable can change.
VARIABLES = {
    "AWS_ACCESS_KEY_ID": ("env", *PROFILES),
    "AWS_CONFIG_FILE": tuple(REQUESTS),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": ("container", *PROFILES),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": ("container", *PROFILES),
    **dict.fromkeys(CONTAINER, ("imds", "source imds", "container", *PROFILES)),
    "AWS_DEFAULT_PROFILE": tuple(REQUESTS),
    "AWS_DEFAULT_REGION": CHAINS,
    "AWS_EC2_METADATA_DISABLED": ("imds", "source imds", *PROFILES),
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": ("imds", "source imds", *PROFILES),
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": ("imds", "source imds", *PROFILES),
    "AWS_ENDPOINT_URL": CHAINS,
    "AWS_ENDPOINT_URL_SIGNIN": PROFILES,
    "AWS_ENDPOINT_URL_SSO": PROFILES,
    "AWS_ENDPOINT_URL_SSO_OIDC": PROFILES,
    "AWS_ENDPOINT_URL_STS": CHAINS,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": CHAINS,
    "AWS_IMDS_USE_IPV6": ("imds", "source imds", *PROFILES),
    "AWS_LOGIN_CACHE_DIRECTORY": PROFILES,
    "AWS_PROFILE": tuple(REQUESTS),
    "AWS_REGION": CHAINS,
    "AWS_ROLE_ARN": ("web-identity", *PROFILES),
    "AWS_ROLE_SESSION_NAME": ("web-identity", *PROFILES),
    "AWS_SHARED_CREDENTIALS_FILE": CHAINS,
    "AWS_STS_REGIONAL_ENDPOINTS": CHAINS,
    "AWS_USE_DUALSTACK_ENDPOINT": CHAINS,
    "AWS_USE_FIPS_ENDPOINT": CHAINS,
    "AWS_WEB_IDENTITY_TOKEN_FILE": ("imds", "source imds", "web-identity", *PROFILES),
    "HOME": PROFILES,
    "LNAME": CHAINS,
    "LOGNAME": CHAINS,
    "USER": CHAINS,
    "USERNAME": CHAINS,
}
#: Variables that say how AWS is reached, how patiently, or what is told about it, and secrets, of
#: which the id says whose they are.
HARMLESS = [
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ACCOUNT_ID"),
    *(
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "HTTPS_PROXY",
        "NO_PROXY",
    ),
    *("AWS_METADATA_SERVICE_TIMEOUT", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "AWS_MAX_ATTEMPTS"),
    *(
        "AWS_RETRY_MODE",
        "AWS_SDK_UA_APP_ID",
        "AWS_EXECUTION_ENV",
        "AWS_PAGER",
        "AWS_ENDPOINT_URL_S3",
    ),
    *(
        "CREDPROC_CACHE_DIR",
        "CREDPROC_LOG",
        "CREDPROC_PROFILE_CHAIN",
        "PATH",
        "LANG",
        "TERM",
        "PWD",
    ),
]


@pytest.mark.parametrize("name", VARIABLES)
def test_variable_changes_the_identity_of_what_it_can_change(
    name: str, environ: dict[str, str]
) -> None:
    concerned = set()
    for kind, argv in REQUESTS.items():
        values = [environ, environ | {name: "/one"}, environ | {name: "/two"}]
        identities = {identity(argv, each) for each in values}
        assert len(identities) in (1, 3), kind
        if len(identities) == 3:
            concerned.add(kind)

    assert concerned == set(VARIABLES[name])


@pytest.mark.parametrize("name", HARMLESS)
def test_variable_that_says_how_changes_nothing(name: str, environ: dict[str, str]) -> None:
    for argv in REQUESTS.values():
        assert identity(argv, environ | {name: "x"}) == identity(argv, environ)


@pytest.mark.parametrize(
    "name",
    sorted(set(VARIABLES) - {"HOME", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}),
)
def test_empty_variable_is_like_none(name: str, environ: dict[str, str]) -> None:
    for argv in REQUESTS.values():
        assert identity(argv, environ | {name: ""}) == identity(argv, environ)


@pytest.mark.parametrize("kind", REQUESTS)
def test_no_secret_is_part_of_it(kind: str, environ: dict[str, str], tmp_path: Path) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzKEY"
    for name in ("config", "credentials", "token"):
        (tmp_path / name).write_text(f"[default]\naws_secret_access_key = {secret}\n")
    environ |= dict.fromkeys(VARIABLES, "AKIAEXAMPLE") | {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": secret,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": secret,
        "CREDPROC_MFA": secret,
    }

    found = identity([*REQUESTS[kind], "--mfa-command", f"code {secret}"], environ).decode()
    assert not any(secret[start : start + 6] in found for start in range(len(secret) - 5))


def test_container_token_leaves_no_more_than_32_bits() -> None:
    tokens = [f"token-{number}" for number in range(500)]
    marks = {_token_mark({"AWS_CONTAINER_AUTHORIZATION_TOKEN": each}) for each in tokens}

    assert len(marks) == 500
    assert {len(mark.removeprefix("token:")) for mark in marks} == {8}


# Files.


def change_time(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def change_size(path: Path) -> None:
    status = path.stat()
    path.write_bytes(path.read_bytes() + b"#")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], None]] = {
    "time": change_time,
    "size": change_size,
    "absence": Path.unlink,
}
FILES = {
    "AWS_CONFIG_FILE": tuple(REQUESTS),
    "AWS_SHARED_CREDENTIALS_FILE": CHAINS,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": ("container", *PROFILES),
    "AWS_WEB_IDENTITY_TOKEN_FILE": ("web-identity", *PROFILES),
}


@pytest.mark.parametrize("variable", FILES)
@pytest.mark.parametrize("change", CHANGES)
def test_file_that_is_read_changes_the_identity(
    variable: str, change: str, environ: dict[str, str], tmp_path: Path
) -> None:
    environ[variable] = str(tmp_path / "other")
    before = identities(environ)
    assert before == identities(environ)
    CHANGES[change](tmp_path / "other")

    after = identities(environ)
    assert {kind for kind in REQUESTS if after[kind] != before[kind]} == set(FILES[variable])


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_config_file_whose_variable_is_empty_is_not_the_one_in_the_home(
    variable: str, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "home" / ".aws").mkdir(parents=True)
    for name in ("config", "credentials"):
        (tmp_path / "home" / ".aws" / name).write_text("[default]\nregion = eu-central-1\n")
    usual = {name: value for name, value in environ.items() if name != variable}

    assert identity(CHAIN, environ | {variable: ""}) != identity(CHAIN, usual)


def test_config_file_in_the_home_is_that_of_the_environment(tmp_path: Path) -> None:
    argv = ["--profile", "p"]
    homes = [tmp_path / "a", tmp_path / "b"]
    for home in homes:
        (home / ".aws").mkdir(parents=True)
    before = identity(argv, {"HOME": str(homes[0])})
    (homes[1] / ".aws" / "config").write_text("[profile p]\n")
    assert identity(argv, {"HOME": str(homes[0])}) == before
    (homes[0] / ".aws" / "config").write_text("[profile p]\n")

    assert identity(argv, {"HOME": str(homes[0])}) != before


# Where they are.

PATHS = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                "/x/config",
                "x",
                "./x",
                "../x",
                "~",
                "~/",
                "~/x",
                "~//x",
                "~nobody-by-that-name/x",
            ),
            *(
                "$HOME/x",
                "${HOME}/x",
                "$UNSET/x",
                "$",
                "~$HOME",
                "/$X",
                "$X",
                " ",
                " ~/x",
                "~/x ",
                "//x",
            ),
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    st.text("~$/{}HOMEx. ", max_size=8),
)
HOMES = st.sampled_from(
    ["/proc/nowhere/u", "/proc/nowhere/u/", "//nowhere", "/", "", "relative", "/a b", "~"]
)


@pytest.mark.parametrize(
    ("variable", "name", "default"),
    [
        ("AWS_CONFIG_FILE", "config_file", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials_file", "~/.aws/credentials"),
    ],
)
@settings(max_examples=100, deadline=None)
@given(
    path=st.one_of(st.none(), PATHS),
    environ=st.fixed_dictionaries({}, optional={"HOME": HOMES, "X": PATHS}),
)
def test_config_file_is_the_one_that_botocore_reads(
    variable: str, name: str, default: str, path: str | None, environ: dict[str, str]
) -> None:
    if path is not None:
        environ[variable] = path
    with mock.patch.dict(os.environ, environ, clear=True):
        found = config_path(environ, variable, default)
        given = botocore.session.Session().get_config_variable(name)
        with (
            mock.patch("os.path.isfile", return_value=False),
            pytest.raises(ConfigNotFound) as read,
        ):
            botocore.configloader.raw_config_parse(given)
    expected = read.value.kwargs["path"]

    if not os.path.isabs(expected):
        # botocore would read a folder named ~ where it stands; and nothing is at an empty path.
        expected = os.path.abspath(expected) if expected and path is not None else ""
    assert found == expected


def test_config_file_is_found_in_the_environment_that_is_given(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}

    found = config_path(environ, "AWS_CONFIG_FILE", "~/.aws/config")
    assert found == str(tmp_path / ".aws" / "config")


@pytest.mark.parametrize("variable", [None, "", "relative"])
def test_no_home_and_no_folder_mean_no_config_file(
    variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("the working directory was removed")

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("os.getcwd", nowhere)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    environ = {} if variable is None else {"AWS_CONFIG_FILE": variable}
    with mock.patch.dict(os.environ, environ, clear=True):
        assert config_path(environ, "AWS_CONFIG_FILE", "~/.aws/config") == ""
        assert identity([], environ)


def test_stamp_is_path_time_and_size(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"12345")
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))

    assert _stamp(str(path)) == f"{path} 1700000000123456789 5"


@pytest.mark.parametrize(
    "path", ["", "/proc/nowhere/config", "/dev/null/config", "/x\0y", "/" + "x" * 5000]
)
def test_stamp_of_what_is_not_there_is_its_path(path: str) -> None:
    assert _stamp(path) == f"{path} -"


# Where it runs, and who runs it.


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file in place of the kernel's, which tells one start of the machine from the next."""
    given, real = tmp_path / "boot_id", os.open
    given.write_text("d1\n")

    def opened(path: str, *more: int) -> int:
        return real(given if path == "/proc/sys/kernel/random/boot_id" else path, *more)

    monkeypatch.setattr(os, "open", opened)
    return given


def test_start_of_the_machine_is_part_of_the_instance() -> None:
    mark = _instance()

    assert re.fullmatch(rf"instance:{re.escape(os.uname().nodename)} [0-9a-f-]{{36}}", mark)


def test_other_start_of_the_machine_may_be_another_instance(
    environ: dict[str, str], start: Path
) -> None:
    before = identities(environ)
    start.write_text("d2\n")

    # A profile's may have cost an MFA code, which a restart of a laptop should not ask for again.
    after = identities(environ)
    assert {k for k in REQUESTS if after[k] != before[k]} == {"imds", "source imds"}
    start.unlink()
    assert identity(IMDS, environ) not in (before["imds"], after["imds"])


def test_other_host_is_another_instance_and_another_caller(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identities(environ)
    monkeypatch.setattr(os, "uname", lambda: types.SimpleNamespace(nodename="elsewhere"))

    assert all(identity(argv, environ) != before[kind] for kind, argv in REQUESTS.items())


def test_user_is_found_in_the_order_of_getpass(environ: dict[str, str]) -> None:
    alice = identity(CHAIN, environ | {"LOGNAME": "alice"})

    assert identity(CHAIN, environ | {"USERNAME": "alice"}) == alice
    assert identity(CHAIN, environ | {"LOGNAME": "alice", "USER": "bob"}) == alice
    assert identity(CHAIN, environ | {"LOGNAME": "bob", "USER": "alice"}) != alice


# What roles and sources on the way are kept under.


def test_what_is_on_the_way_does_not_depend_on_who_calls(environ: dict[str, str]) -> None:
    (chain,) = options.parse(CHAIN).providers

    parts = of_providers([chain], environ)
    assert of_providers([chain], environ | {"LOGNAME": "bob"}) == parts


def test_identity_holds_its_version(environ: dict[str, str]) -> None:
    assert identity(IMDS, environ).split(b"\0")[0] == VERSION.encode()


def test_parts_are_bytes_as_the_system_has_them() -> None:
    assert join(["a", "\udce9\udc00".replace("\udc00", "\N{EURO SIGN}")]) == (
        b"1\0a\0\xe9\xe2\x82\xac"
    )
