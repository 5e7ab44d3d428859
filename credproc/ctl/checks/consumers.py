"""The tools on this machine that read credential_process, and their peculiarities."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from credproc.ctl.checks import OK, WARN, Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credproc.ctl.checks import Case

_AWS = re.compile(r"aws-cli/(\d+)[.\d]*")
_CORE = re.compile(r"botocore/([.\d]+)")

#: Tools that use the AWS SDK for Go: they give up after 60 s, and credproc goes on without them.
GO = ("terraform", "tofu", "rclone", "s5cmd", "packer", "kops", "eksctl")


def installed(case: Case) -> Iterator[Check]:
    """Check the tools that are found on PATH, and this interpreter's boto3."""
    path = case.environ.get("PATH")
    aws = shutil.which("aws", path=path)
    if aws:
        yield _aws(aws, case)
    import importlib.metadata  # 24 ms

    yield Check(OK, "boto3", f"{importlib.metadata.version('boto3')}, in the interpreter of "
                "credproc itself")  # fmt: skip
    found = [name for name in GO if shutil.which(name, path=path)]
    if found:
        yield Check(OK, "Go tools", "wait up to 60 s for credproc, which matters if you type MFA "
                    f"codes: {', '.join(found)}")  # fmt: skip


def _aws(path: str, case: Case) -> Check:
    try:
        done = case.started([path, "--version"])
    except subprocess.TimeoutExpired:
        return Check(WARN, "aws", f"{path} --version ran for more than {case.patience:g} s")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return Check(WARN, "aws", f"{path} cannot be started: {why}")
    output = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
    version = _AWS.search(output)
    if done.returncode or not version:
        last = output.rpartition("\n")[2]
        return Check(WARN, "aws", f"{path} --version fails (status {done.returncode}): {last}")
    text = f"{path}, {version[0]}"
    core = _CORE.search(output)
    if core and version[1] == "1" and tuple(map(int, core[1].split(".")[:2])) < (1, 36):
        return Check(WARN, "aws", f"{text} drops the account of the credentials (botocore "
                     f"{core[1]})", "upgrade it, for account-based endpoints")  # fmt: skip
    return Check(OK, "aws", f"{text}: runs credproc once per command, and caches nothing itself")
