"""The programs of this machine that the tests may use, and the Debian package of each.

Standard library only, because the demo uses it, too.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

#: What every machine with Python has; a test may use these without a word.
#: Not what a shell has built in (kill, printf, test, true), which may be missing as programs.
BASIC = (
    "awk", "basename", "bash", "cat", "chmod", "chown", "cmp", "cp", "cut", "date", "diff",
    "dirname", "env", "expr", "find", "grep", "gzip", "head", "hostname", "id",
    "ln", "ls", "mkdir", "mktemp", "mv", "nice", "readlink", "realpath",
    "rm", "rmdir", "sed", "seq", "sh", "sleep", "sort", "stat", "stty", "tail", "tar", "tee",
    "timeout", "touch", "tr", "tty", "uname", "wc", "xargs",
)  # fmt: skip

#: What a test must say that it needs (see needs.py), and where Debian has it.
DEBIAN = {
    "apt-get": "apt",
    "bindfs": "bindfs",
    "cc": "gcc",
    "cron": "cron",
    "curl": "curl",
    "dash": "dash",
    "dpkg": "dpkg",
    "encfs": "encfs",
    "fish": "fish",
    "flock": "util-linux",
    "fusermount": "fuse3",
    "gocryptfs": "gocryptfs",
    "git": "git",
    "ip": "iproute2",
    "jq": "jq",
    "man": "man-db",
    "mandoc": "mandoc",
    "mergerfs": "mergerfs",
    "mkfifo": "coreutils",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nsenter": "util-linux",
    "patchelf": "patchelf",
    "ps": "procps",
    "setpriv": "util-linux",
    "sftp-server": "openssh-sftp-server",
    "sshfs": "sshfs",
    "strace": "strace",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
    "umount": "mount",
    "unionfs-fuse": "unionfs-fuse",
    "unshare": "util-linux",
    "zsh": "zsh",
}


#: Where Debian has programs that are not on PATH.
OUTSIDE = ("/usr/lib/openssh",)


def find(name: str) -> str | None:
    """Return where a program is: on PATH, or where root's programs are; None if it is missing."""
    return shutil.which(
        name, path=os.pathsep.join((*os.get_exec_path(), "/usr/sbin", "/sbin", *OUTSIDE))
    )


@functools.cache
def folder() -> Path:
    """Return a directory of links to the programs above, and to nothing else.

    A made-up machine has it on PATH, so a test cannot depend on a program by accident.
    """
    made = Path(tempfile.mkdtemp(prefix="credproc-programs-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    made.chmod(0o755)
    for name in (*BASIC, *DEBIAN):
        found = find(name)
        if found:
            (made / name).symlink_to(found)
    return made
