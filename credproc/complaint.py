"""Which line of a helper's stderr says what failed."""

from __future__ import annotations

import re

#: A line that begins with a kind of error, or with a program's name: "Error:", "x: error:",
#: "ValueError:", "Exception in thread", "ERROR (gcloud.auth)".
HEADED = re.compile(r"(?i)^(?:\S+: )*[\w.$\[]*(?:error|exception|fatal|panic)\b")
#: A line with a word for failure.
FAILING = re.compile(
    r"(?i)\b(?:err|error|exception|fatal|panic|fail(?:ed|ure|s)?|cannot|can't|could not|unable|"
    r"denied|refused|invalid|expired|missing|not found|no such|not logged in|unauthorized)\b"
)
#: Lines around an error that never explain it: frames, carets, versions, warnings, help.
ASIDE = re.compile(
    r"(?i)^(?:\s|(?:warn(?:ing)?|note|hint|info|debug|tip)\b|at \S|\.\.\.|[\^~|\-=*]+$|traceback |"
    r"node\.js v|.*\bcomplete log of this|usage:|flags:|options:|"
    r"(?:run|see|try|use) .*(?:--help|-h\b)|for (?:more )?(?:help|usage|information))"
)


def error_line(complaint: bytes) -> str:
    """Return the line that says what failed, "" if there is none; the other lines go to the log.

    That is the last line that begins like an error; else the last with a word for failure; else the
    last that is not a stack frame, version or help; else the last.
    """
    text = complaint.decode("utf-8", "replace")
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    plain = [line for line in lines if not ASIDE.match(line)]
    for found in (
        [line for line in plain if HEADED.match(line)],
        [line for line in plain if FAILING.search(line)],
        plain,
        lines,
    ):
        if found:
            return found[-1].strip()
    return ""
