"""Which line of a helper's stderr says what failed."""

from __future__ import annotations

import re

from credproc.errors import HIDDEN

#: A line that begins with a kind of error, with a program's name, or with a cross: "Error:",
#: "x: error:", "ValueError:", "Exception in thread", "ERROR (gcloud.auth)", "[\u2718] no session".
HEADED = re.compile(
    r"(?i)^(?:\S+: )*(?:[\w.$\[]*(?:error|exception|fatal|panic)\b|\W*[\u2715-\u2718\u274c\u00d7])"
)
#: A line with a word for failure.
FAILING = re.compile(
    r"(?i)\b(?:err|error|exception|fatal|panic|fail(?:ed|ure|s)?|cannot|can't|could not|unable|"
    r"denied|refused|invalid|expired|missing|not found|no such|not logged in|unauthorized|must)\b"
)
#: Lines around an error that never explain it: frames, carets, versions, warnings, help.
ASIDE = re.compile(
    r"(?i)^(?:\s|\[i\]|\u2139|(?:warn(?:ing)?|note|hint|info|debug|tip)\b|at \S|\.\.\.|"
    r"[\^~|\-=*]+$|traceback |node\.js v|.*\bcomplete log of this|usage:|flags:|options:|"
    r"(?:run|see|try|use) .*(?:--help|-h\b)|for (?:more )?(?:help|usage|information))"
)
#: The sequences by which a program colors its text, makes links and moves the cursor.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
#: Keys and tokens by their form: an access key ID, and a long mix of letters and digits that is not
#: part of a path, an ARN or a URL.
ACCESS_KEY = re.compile(r"\bA[KS]IA[A-Z0-9]{8,}(?=[A-Z0-9]{4}\b)")
TOKEN = re.compile(
    r"(?<![^\s\"'=,(])(?=[^\s\"']*[A-Z])(?=[^\s\"']*[a-z])(?=[^\s\"']*\d)(?!arn:|https?:|[~.]*/\S*\.)"
    r"[\w/+.=-]{40,}"
)


def error_line(complaint: bytes, only_failing: bool = False) -> str:
    """Return the line that says what failed, "" if there is none; the other lines go to the log.

    That is the last line that begins like an error; else the last with a word for failure; else,
    unless ``only_failing``, the last that is not a stack frame, version or help; else the last.
    Keys and tokens in it are replaced.
    """
    text = ESCAPES.sub("", complaint.decode("utf-8", "replace"))
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    plain = [line for line in lines if not ASIDE.match(line)]
    headed = [line for line in plain if HEADED.match(line)]
    failing = [line for line in plain if FAILING.search(line)]
    for found in (headed, failing) if only_failing else (headed, failing, plain, lines):
        if found:
            return _redacted(found[-1].strip())
    return ""


def _redacted(line: str) -> str:
    return TOKEN.sub(HIDDEN, ACCESS_KEY.sub("...", line))
