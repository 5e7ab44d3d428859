"""Which line of what a helper wrote on stderr says what failed."""

from __future__ import annotations

import pytest

from credproc.errorline import error_line
from credproc.errors import clean

#: What runtimes, libraries for command lines and programs write, and the line that matters.
COMPLAINTS = {
    "": "",
    "\n \n": "",
    "sign in first\n": "sign in first",
    "loading\nsign in first": "sign in first",
    "/x.js:10\n    throw e;\n    ^\n\nError: sign in\n    at f (x.js:1:1)\n\nNode.js v20.11.1\n": (
        "Error: sign in"
    ),
    "Error: unknown flag: --x\nUsage:\n  tool get [flags]\n\nFlags:\n  -h, --help   help\n": (
        "Error: unknown flag: --x"
    ),
    "usage: tool [-h] x\ntool: error: x is missing\n": "tool: error: x is missing",
    "Usage: tool [OPTIONS]\nTry 'tool --help' for help.\n\nError: No such option: --x\n": (
        "Error: No such option: --x"
    ),
    "error: unexpected argument '--x'\n\nUsage: tool\n\nFor more information, try '--help'.\n": (
        "error: unexpected argument '--x'"
    ),
    'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\nValueError: bad\n': (
        "ValueError: bad"
    ),
    'Exception in thread "main" a.B: no token\n\tat a.b(C.java:1)\n\t... 3 more\n': (
        'Exception in thread "main" a.B: no token'
    ),
    "panic: no token\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:3 +0x1d\nexit status 2\n": (
        "panic: no token"
    ),
    "thread 'main' panicked at x.rs:2:5:\nno token\nnote: run with `RUST_BACKTRACE=1`\n": (
        "no token"
    ),
    "ERROR: (gcloud.auth) invalid_grant\nPlease run:\n\n  $ gcloud auth login\n\nto sign in.\n": (
        "ERROR: (gcloud.auth) invalid_grant"
    ),
    "WARNING: error reporting is on\nsign in first\n": "sign in first",
    "Unable to login: wrong password\nbye\n": "Unable to login: wrong password",
    "Error: a\r\n\r\nNode.js v20\r\n": "Error: a",
    "  all\n  indented\n": "indented",
    "[\u2718] no session for x\n[i] To sign in run: granted\n": "[\u2718] no session for x",
    "\x1b[1;31mError:\x1b[0m sign in\x1b[K\n": "Error: sign in",
    "\x1b]8;;https://x.example\x07sign in\x1b]8;;\x07\n": "sign in",
}


@pytest.mark.parametrize(("complaint", "line"), COMPLAINTS.items())
def test_error_line_is_the_one_that_says_what_failed(complaint: str, line: str) -> None:
    assert error_line(complaint.encode()) == line


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert error_line(b"Error: \xff\n") == "Error: \N{REPLACEMENT CHARACTER}"


KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlMTIzNDU2Nzg5MA"


@pytest.mark.parametrize(
    "said",
    [
        f"Error: bad key {KEY}",
        f"Error: key '{KEY}' is bad",
        f"Error: invalid token {JWT}",
        f"Error: token={JWT[:20]} has no signature",
        "Error: permission denied for hvs.CAESIJ8canary7canary7canary7canary7canary7",
        "error: refused: Authorization: Bearer canary12",
        'Error: {"Authorization": "Bearer canary12"}',
        "Error: login failed for password=canary7",
        "Error: password: canary7",
        "Error: cannot reach https://ann:canary7@vault.example/",
        "Error: GET https://vault.example/v1?token=canary7&x=1",
        "Error: SAMLResponse=PHNhbWxwOlJlc3BvbnNl was refused",
        f"ValueError: {{'AccessKeyId': 'ASIAIOSFODNN7EXAMPLE', 'SecretAccessKey': '{KEY[:30]}'}}",
    ],
)
def test_keys_and_tokens_in_the_line_are_not_shown(said: str) -> None:
    shown = clean(error_line(said.encode()))
    for secret in (KEY[:30], JWT[:20], "canary", "PHNhbW", "IOSFODNN7"):
        assert secret not in shown
    assert "[secret]" in shown


@pytest.mark.parametrize(
    "said",
    [
        "Error: the token is missing",
        "Error: token: permission denied",
        "Error: password: not found",
        "Error: Bearer authentication failed",
        "Error: run tool login https://device.sso.eu-west-1.amazonaws.com/?user_code=ABCD-EFGH",
        "Error: cannot open /home/Ann/Library/Application-Support/tool-2/config.json",
        "Error: arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/Ann",
        "Error: RequestID: 1a2b3c4d-1a2b-1a2b-1a2b-1a2b3c4d5e6f",
    ],
)
def test_the_rest_of_the_line_is_shown(said: str) -> None:
    assert clean(error_line(said.encode())) == said
