"""Which line of what a helper wrote on stderr says what failed."""

from __future__ import annotations

import pytest

from credproc.complaint import error_line

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
}


@pytest.mark.parametrize(("complaint", "line"), COMPLAINTS.items())
def test_error_line_is_the_one_that_says_what_failed(complaint: str, line: str) -> None:
    assert error_line(complaint.encode()) == line


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert error_line(b"Error: \xff\n") == "Error: \N{REPLACEMENT CHARACTER}"
