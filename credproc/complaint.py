"""What a helper wrote on stderr, and which line of it says what failed."""

from __future__ import annotations

import re

#: A line that begins with the kind of an error, or with who reports it: "Error:", "x: error:",
#: "ValueError:", "Exception in thread", "ERROR (gcloud.auth)".
HEADED = re.compile(r"(?i)^(?:\S+: )*[\w.$\[]*(?:error|exception|fatal|panic)\b")
#: A line with a word for failure.
FAILING = re.compile(
    r"(?i)\b(?:err|error|exception|fatal|panic|fail(?:ed|ure|s)?|cannot|can't|could not|unable|"
    r"denied|refused|invalid|expired|missing|not found|no such|not logged in|unauthorized)\b"
)
#: Lines around an error that never say what it is: frames, carets, versions, warnings, help.
ASIDE = re.compile(
    r"(?i)^(?:\s|(?:warn(?:ing)?|note|hint|info|debug|tip)\b|at \S|\.\.\.|[\^~|\-=*]+$|traceback |"
    r"node\.js v|.*\bcomplete log of this|usage:|flags:|options:|"
    r"(?:run|see|try|use) .*(?:--help|-h\b)|for (?:more )?(?:help|usage|information))"
)


def telling_line(complaint: bytes) -> str:
    """Return the line that says what failed, "" of nothing; the other lines are for logs.

    It is the last line that is headed as an error; else the last with a word for failure; else the
    last that is no stack frame, version or help; else the last.
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
