"""A machine with four users and the real cron, which runs each of their jobs."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import credproc
from tests import readme
from tests.cloud import until
from tests.harness import CREDPROC, LIMIT, SCRIPTS
from tests.loopback import arn
from tests.servers.moto import ACCOUNT

if TYPE_CHECKING:
    from tests.harness import Processes
    from tests.loopback import Loopback

#: Seconds: cron wakes at each full minute, and then the jobs take theirs.
MINUTE = 60 + 2 * LIMIT

#: The users of the made-up machine; cron knows no others.
USERS = {"root": 0, "ann": 54001, "bob": 54002, "eve": 54003}

#: Runs the daemon where only it can see what is put in place of the machine's own files, and where
#: nothing that it starts outlives it.
NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
DAEMON = r"""
set -eu
etc=$1 crontabs=$2 stash=$3; shift 3
for name in passwd group shadow crontab; do
    mount --bind "$etc/$name" "/etc/$name"
done
for name in cron.d cron.hourly cron.daily cron.weekly cron.monthly; do
    [ ! -d "/etc/$name" ] || mount -t tmpfs -o mode=755 none "/etc/$name"
done
cp "$etc"/cron.d/* /etc/cron.d/
mount -t tmpfs -o mode=755 none /run
mount --bind "$crontabs" /var/spool/cron/crontabs
# What a job needs may lie behind a folder that is closed to others: an open one, in its place.
while [ $# -gt 0 ]; do
    closed=$1 needed=$2; shift 2
    if [ ! -d "$stash$closed" ]; then
        mkdir -p "$stash$closed"
        mount --bind "$closed" "$stash$closed"
        mount -t tmpfs -o mode=755 none "$closed"
    fi
    mkdir -p "$needed"
    mount --bind "$stash$needed" "$needed"
done
exec cron -f
"""

#: Each job writes down what became of it, once, however many minutes pass.
JOB = """#!/bin/sh
set -C
(: > {out}.begun) 2>/dev/null || exit 0
set +C
{{ {command}
}} > {out} 2> {out}.err
echo $? > {out}.status.new
mv {out}.status.new {out}.status
"""

CONFIG = f"""
[profile app]
credential_process = {CREDPROC}
region = eu-central-1

[profile ann]
credential_process = {CREDPROC} --profile ann-role
region = eu-central-1

[profile ann-role]
role_arn = {arn("reports")}
source_profile = laptop
mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/ann
"""

WHO = f"{SCRIPTS}/aws sts get-caller-identity --query Arn --output text --profile"
#: The manual's own.
CRONTAB, SCRIPT = (block.text for block in readme.section("cron").blocks)
#: What a job finds itself in. A terminal that is there can be opened; tty alone looks at stdin.
PROBE = """
env
echo "tty: $(tty)"
if (: < /dev/tty) 2> /dev/null; then echo terminal: yes; else echo terminal: no; fi
"""

JOBS = {
    "ann": {
        "probe": PROBE,
        "profile": f"{WHO} app",
        "exported": "$HOME/script",
        "mfa": f"{WHO} ann",
    },
    "bob": {"homeless": f"env -u HOME {WHO} app", "missing": "credproc --field AccessKeyId"},
    "root": {"field": f"{CREDPROC} --field AccessKeyId"},
    # The manual's crontab, unchanged; its aws records what it does.
    "eve": {"documented": f'{SCRIPTS}/aws "$@"'},
}


class Machine:
    """A machine with four users, whose cron has run each of their jobs."""

    def __init__(self, folder: Path, world: Loopback) -> None:
        self.folder = folder
        self.world = world
        for user, uid in USERS.items():
            self._furnish(user, uid)

    def home(self, user: str) -> Path:
        return self.folder / "home" / user

    def _furnish(self, user: str, uid: int) -> None:
        home = self.home(user)
        (home / ".aws").mkdir(parents=True)
        (home / ".aws" / "config").write_text(CONFIG)
        (home / ".aws" / "credentials").write_text(
            f"[laptop]\naws_access_key_id = {self.world.key}\n"
            f"aws_secret_access_key = {self.world.secret}\n"
        )
        self._program(home / "script", SCRIPT.replace("/usr/local/bin", str(SCRIPTS)))
        for name, command in JOBS[user].items():
            text = JOB.format(command=command.strip(), out=home / name)
            self._program(home / f"{name}.sh", text)
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid)
        home.chmod(0o700)

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def variables(self, user: str) -> dict[str, str]:
        """Return the settings of a user's crontab; HOME and PATH are what cron makes them."""
        settings = {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.world.imds.url,
            "AWS_ENDPOINT_URL": self.world.moto.url,
        }
        if user == "ann":
            settings["CREDPROC_LOG"] = str(self.home("ann") / "credproc.log")
        return settings

    def write(self) -> tuple[Path, Path]:
        """Write /etc and the crontabs; return where."""
        etc, crontabs = self.folder / "etc", self.folder / "crontabs"
        (etc / "cron.d").mkdir(parents=True)
        crontabs.mkdir()
        people = [(user, uid, self.home(user)) for user, uid in USERS.items()]
        (etc / "passwd").write_text("".join(f"{u}:x:{n}:{n}::{h}:/bin/sh\n" for u, n, h in people))
        (etc / "group").write_text("".join(f"{u}:x:{n}:\n" for u, n, _ in people))
        (etc / "shadow").write_text("".join(f"{u}:*:19000:0:99999:7:::\n" for u, *_ in people))
        (etc / "crontab").write_text("")
        (etc / "cron.d" / "bob").write_text(self._crontab("bob", with_user=True))
        for user in ("ann", "root", "eve"):
            (crontabs / user).write_text(self._crontab(user))
            (crontabs / user).chmod(0o600)
            os.chown(crontabs / user, USERS[user], 0)
        return etc, crontabs

    def _crontab(self, user: str, with_user: bool = False) -> str:
        lines = [f"{name}={value}" for name, value in self.variables(user).items()]
        who = f"{user} " if with_user else ""
        if user == "eve":
            lines.append(self._documented())
        else:
            lines += [f"* * * * * {who}{self.home(user) / name}.sh" for name in JOBS[user]]
        return "\n".join(lines) + "\n"

    def _documented(self) -> str:
        """Return the manual's crontab with the paths of this machine, and each minute its own."""
        home = self.home("eve")
        text = CRONTAB.replace("/usr/local/bin/aws", str(home / "documented.sh"))
        changed = text.replace("/home/ann", str(home)).replace("*/10 * * * * ", "* * * * * ")
        assert changed.count(str(home)) == 2
        return changed

    def run(self, processes: Processes) -> None:
        """Run cron until every job has ended."""
        etc, crontabs = self.write()
        stash = self.folder / "stash"
        command = ["unshare", *NAMESPACES, "sh", "-c", DAEMON, "sh"]
        command += map(str, (etc, crontabs, stash, *behind_closed_folders()))
        daemon = processes.start(command, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        wanted = [self.home(user) / f"{name}.status" for user in JOBS for name in JOBS[user]]
        until(lambda: not daemon.running or all(path.exists() for path in wanted), MINUTE)
        said = daemon.wait().stderr if not daemon.running else ""
        assert not said, said
        daemon.end(grace=0)

    def said(self, user: str, job: str) -> tuple[str, str]:
        """Return what a job wrote to stdout and to stderr."""
        out = self.home(user) / job
        return out.read_text(), out.with_suffix(".err").read_text()

    def status(self, user: str, job: str) -> int:
        return int((self.home(user) / f"{job}.status").read_text())

    def seconds(self, user: str, job: str) -> float:
        """Return how long a job took."""
        begun, ended = (self.home(user) / f"{job}.{name}" for name in ("begun", "status"))
        return ended.stat().st_mtime - begun.stat().st_mtime


def behind_closed_folders() -> list[Path]:
    """Return what jobs need and others cannot reach, each after the folder that is closed."""
    needed = {sys.prefix, sys.base_prefix, str(Path(credproc.__file__).resolve().parents[1])}
    pairs = []
    for path in sorted(Path(each).resolve() for each in needed):
        closed = [each for each in reversed(path.parents) if not each.stat().st_mode & stat.S_IXOTH]
        pairs += [*closed[:1], path] if closed else []
    return pairs
