"""The proxies of the environment: which cannot be used, and what of them is secret."""

from __future__ import annotations

import pytest

from credproc import proxies
from credproc.errors import clean


@pytest.mark.parametrize(
    "value",
    [
        "http://proxy.example:3128",
        "https://proxy.example",
        "proxy.example:3128",
        "//proxy.example",
        "http://[fd00::1]:3128/",
        "http://corpuser:secret%23word@proxy.example:3128",
        "http://ann:50%off@proxy.example",
        "http://ann:at@sign@proxy.example",
    ],
)
def test_usable_proxy_has_no_problem(value: str) -> None:
    assert proxies.problem(value) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("http://corpuser:se#cret@proxy.example:3128", "write # as %23"),
        ("http://corpuser:se/cret@proxy.example:3128", "write / as %2F"),
        ("http://corpuser:se?cret@proxy.example:3128", "write ? as %3F"),
        ("http://corpuser:se\\cret@proxy.example:3128", "write \\ as %5C"),
        ("http://corpuser:se[cr]et@proxy.example:3128", "write [ as %5B, ] as %5D"),
        ("corpuser:se/cret#@proxy.example", "write # as %23, / as %2F"),
        ("socks5://proxy.example:1080", "is a SOCKS proxy"),
        ("SOCKS5H://corpuser:secret@proxy.example:1080", "is a SOCKS proxy"),
        ("ftp://proxy.example", "must begin with http:// or https://"),
        ("http://proxy.example:http", "has a port that is not a number"),
        ("http://", "has no host"),
        ("http://corpuser:secret@:8080", "has no host"),
        ("http://corpuser:secret", "has a port that is not a number"),
        ("http://proxy.example:99999", "has a port that is not a number up to 65535"),
        ("'http://corpuser:secret@proxy.example'", "is in quotes: remove them"),
        ("http://corpuser:secret@proxy.example\n", "has a space or a line end around it"),
        ("http://corpuser:secr\u00e9t@proxy.example", "contains a character that is not ASCII"),
        ("https//corpuser:secret@proxy.example", "must begin with http:// or https://"),
        ("http:/corpuser:secret@proxy.example", "must begin with http:// or https://"),
    ],
)
def test_unusable_proxy_is_explained_without_a_part_of_it(value: str, words: str) -> None:
    said = proxies.problem(value)
    assert words in said
    for part in ("corpuser", "secret", "cret", "example"):
        assert part not in said


@pytest.mark.parametrize("character", "#/?\\[]@ :")
def test_no_form_of_a_password_is_shown(character: str) -> None:
    value = f"http://corpuser:hunter2{character}Wxyzwxyz@127.0.0.1:1"
    known = list(proxies.secrets({"HTTPS_PROXY": value, "OTHER": "http://public:public@x"}))
    for said in (
        f"cannot use {value}",
        f"Failed to parse: 'corpuser:hunter2{character}' is not a valid host or port",
        "Failed to parse: 'hunter2'; 'Wxyzwxyz@127.0.0.1'",
        "http://corpuser:hunter2%23Wxyzwxyz@127.0.0.1:1 was refused",
    ):
        shown = clean(said, known)
        for part in ("corpuser", "hunter2", "Wxyz"):
            assert part not in shown, shown
    assert "public" not in known


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("https_proxy", "http://ann:hunter2Wxyz"),
        ("HTTPS_PROXY", "http://127.0.0.1:1/?user=ann&password=hunter2Wxyz"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1/?key=hunter2Wxyz"),
        ("AWS_ENDPOINT_URL", "ann:hunter2Wxyz@127.0.0.1:1"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1/?hunter2Wxyz"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/get?sig=hunter2Wxyz"),
        ("NO_PROXY", "http://ann:hunter2Wxyz@proxy.example"),
    ],
)
def test_no_password_in_the_url_of_a_variable_is_shown(variable: str, value: str) -> None:
    known = list(proxies.secrets({variable: value}))
    assert "hunter2" not in clean(f"cannot connect to {value} (hunter2Wxyz)", known)


def test_hosts_without_a_proxy_are_shown() -> None:
    assert not list(proxies.secrets({"NO_PROXY": "example.com:443,other.example"}))
