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
