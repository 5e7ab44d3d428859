"""Five crons: each real daemon, unpacked from its Debian package, runs one job.

Nothing is installed on this machine: some of the packages exclude one another.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tests import cachedir, needs, programs
from tests.cloud import until
from tests.cron import MINUTE, NAMESPACES
from tests.harness import CREDPROC, LIMIT, Process
from tests.servers.imds import ImdsServer

if TYPE_CHECKING:
    from tests.harness import Processes

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

#: The job writes down what it finds, and what credproc does, once, however many minutes pass.
JOB = """#!/bin/sh
set -C
(: > {home}/begun) 2>/dev/null || exit 0
cd_was=$(pwd)
env > {home}/env
echo "$cd_was" > {home}/directory
echo "$*" > {home}/arguments
AWS_EC2_METADATA_SERVICE_ENDPOINT={imds}
export AWS_EC2_METADATA_SERVICE_ENDPOINT
{credproc} > {home}/out 2> {home}/err
echo $? > {home}/status
{credproc} --imds another > {home}/out.failed 2> {home}/err.failed
echo $? > {home}/status.failed
"""

#: A private /etc, whose root lives in the job's home.
PREPARE = """
set -eu
home=$1 work=$2; shift 2
mount -t tmpfs none "$work/etc"
mkdir "$work/etc/upper" "$work/etc/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work" none /etc
echo "root:x:0:0::$home:/bin/sh" > /etc/passwd
echo "root:x:0:" > /etc/group
"""


class Cron:
    """A daemon and the job that it runs: ``start``, and then what the job wrote down."""

    #: What Debian calls its package, and the packages that this one needs.
    packages: tuple[str, ...] = ()
    #: Fields before the command, in the daemon's own table.
    fields = "* * * * *"
    #: Variables by which the daemon tells the job whose it is; they are part of an answer's key.
    person: ClassVar[dict[str, str]] = {"USER": "root", "LOGNAME": "root"}
    #: Whether the refresh in the background is started.
    refreshes = True
    #: Starts the daemon: $unpacked, $work and $home are where things are.
    script = ""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.home = folder / "home"
        self.work = folder / "work"
        self.processes = processes
        for path in (self.home, self.work, self.work / "etc", self.work / "unpacked"):
            path.mkdir(parents=True)
        self.imds = ImdsServer()
        self._daemon: Process | None = None

    @property
    def quoted(self) -> str:
        """The value of CREDPROC_LOG as the table has it."""
        return f'"{self.home}/credproc.log"'

    def start(self) -> None:
        """Fill the cache with credentials that are due for a refresh, and start the daemon."""
        unpack(self.work / "unpacked", *self.packages)
        job = self.home / "job.sh"
        job.write_text(JOB.format(home=self.home, imds=self.imds.url, credproc=CREDPROC))
        job.chmod(0o755)
        self._fill()
        line = f"{self.fields} {job} 50%done"
        (self.work / "table").write_text(f"CREDPROC_LOG={self.quoted}\n{line}\n")
        variables = f"home={self.home}\nwork={self.work}\nunpacked={self.work}/unpacked\n"
        script = f"{PREPARE}{variables}{self.script}"
        command = ["unshare", *NAMESPACES, "sh", "-c", script, "sh", str(self.home), str(self.work)]
        self._daemon = self.processes.start(command, {"PATH": PATH, "HOME": str(self.home)})

    def _fill(self) -> None:
        env = {
            "HOME": str(self.home),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.url,
            **self.person,
        }
        filled = self.processes.start([CREDPROC], env, cwd=self.home).wait()
        assert filled.status == 0, filled
        cachedir.leave(self.home / ".cache" / "credproc", 1500)

    def wait(self) -> None:
        """Return when the job has ended and the refresh that it started is done."""
        deadline = time.monotonic() + MINUTE
        fetched = 2 if self.refreshes else 1
        last = self.home / "status.failed"
        while not (last.exists() and self.imds.count("creds") >= fetched):
            assert self._daemon is not None
            said = "" if self._daemon.running else self._daemon.wait().stderr
            assert self._daemon.running, said
            found = sorted(path.name for path in self.home.iterdir())
            assert time.monotonic() < deadline, (type(self).__name__, found)
            time.sleep(0.1)

    def stop(self) -> None:
        """End the daemon and all that it has started."""
        if self._daemon is not None:
            self._daemon.end(grace=0)
        self.imds.stop()

    def read(self, name: str) -> str:
        """Return what the job wrote into a file, without the last line end."""
        return (self.home / name).read_text().removesuffix("\n")

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the job."""
        return dict(line.split("=", 1) for line in self.read("env").splitlines() if "=" in line)


class Debian(Cron):
    """Debian's own, for comparison; tests/cron.py tries it with more users and jobs."""

    packages = ("cron",)
    fields = "* * * * * root"
    person: ClassVar[dict[str, str]] = {"LOGNAME": "root"}
    script = """
mount -t tmpfs none /run
mount -t tmpfs none /var/spool
mkdir -p /var/spool/cron/crontabs
echo "crontab:x:101:" >> /etc/group
rm -rf /etc/cron.*
cp "$unpacked/etc/pam.d/cron" /etc/pam.d/cron
cp "$work/table" /etc/crontab
"$unpacked/usr/sbin/cron" -f &
wait
"""


class Busybox(Cron):
    """The crond of Alpine and of small systems."""

    packages = ("busybox-static",)
    script = """
mkdir "$work/tables"
cp "$work/table" "$work/tables/root"
"$unpacked/bin/busybox" crond -f -l 0 -L "$work/log" -c "$work/tables" &
wait
"""


class BusyboxAlone(Busybox):
    """The same as process 1, as in a container without an init: it waits for no orphans."""

    refreshes = False
    script = Busybox.script.replace('"$unpacked', 'exec "$unpacked').replace(" &\nwait", "")


class Anacron(Cron):
    """Runs each job once a day, when the machine is on; here at once."""

    packages = ("anacron",)
    person: ClassVar[dict[str, str]] = {}
    fields = "1 0 job"
    script = """
mkdir "$work/spool"
"$unpacked/usr/sbin/anacron" -d -f -n -t "$work/table" -S "$work/spool" 2> "$work/log"
sleep 300
"""


class Bcron(Cron):
    """A cron of several processes."""

    packages = ("bcron", "libbg2", "ucspi-unix")
    script = """
mkdir -p "$work/spool/crontabs"
cp "$work/table" "$work/spool/crontabs/root"
chmod 600 "$work/spool/crontabs/root"
mkfifo "$work/spool/trigger"
export BCRON_USER=root BCRON_SPOOL="$work/spool"
export PATH="$unpacked/usr/sbin:$unpacked/usr/bin:$PATH" LD_LIBRARY_PATH="$unpacked/usr/lib"
bcron-start 2> "$work/log" &
wait
"""


class Systemd(Cron):
    """systemd-cron: a generator makes units of crontabs, and a manager of systemd's runs one.

    The manager is one for a user, because only process 1 can be the system's. So the job starts in
    HOME, which would be ``/``; all that the unit says holds for both.
    """

    packages = ("systemd-cron",)
    person: ClassVar[dict[str, str]] = {}
    fields = "* * * * * root"
    script = """
mount -t tmpfs none /run
mkdir -p /run/systemd/system "$work/units" "$work/run"
rm -rf /etc/cron.* /etc/anacrontab
cp "$work/table" /etc/crontab
python3 "$unpacked/lib/systemd/system-generators/systemd-crontab-generator" "$work/units"
for name in basic default shutdown exit; do
    printf '[Unit]\\nDescription=%s\\n' "$name" > "$work/units/$name.target"
done
for base in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ ! -e "$base/cgroup.procs" ] || {
        mkdir -p "$base/credproc-cron"
        echo $$ > "$base/credproc-cron/cgroup.procs"
    }
done
chmod 700 "$work/run"
export XDG_RUNTIME_DIR="$work/run" SYSTEMD_UNIT_PATH="$work/units"
/lib/systemd/systemd --user --unit=default.target 2> "$work/log" &
while [ ! -S "$work/run/systemd/private" ]; do sleep 0.1; done
for unit in "$work"/units/cron-*-root-*.service; do
    systemctl --user start "${unit##*/}"
done
wait
"""

    def stop(self) -> None:
        super().stop()
        until(_removed, LIMIT)  # when the last process has gone

    @property
    def unit(self) -> str:
        """The service that the generator made of the job."""
        (path,) = (self.work / "units").glob("cron-*-root-*.service")
        return path.read_text()


def _removed() -> bool:
    """Remove the control groups of the manager; whether none is left."""
    groups = [Path(f"/sys/fs/cgroup/{base}/credproc-cron") for base in (".", "unified", "systemd")]
    for group in groups:
        for folder in sorted(group.glob("**/"), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
    return not any(group.exists() for group in groups)


ALL: tuple[type[Cron], ...] = (Debian, Busybox, BusyboxAlone, Anacron, Bcron, Systemd)


def demand() -> None:
    """Return if the machine can unpack and run the daemons; skip the test if not."""
    needs.demand("apt-get", "dpkg", "mount", "namespaces", "cgroups", "systemctl", "network")


def unpack(folder: Path, *packages: str) -> None:
    """Download Debian packages as apt is configured to, and unpack them into the folder."""
    command = [programs.find("apt-get") or "", "--quiet", "download", *packages]
    # apt's own user may not write into the test's folder; root downloads instead.
    command[1:1] = ["-o", "APT::Sandbox::User=root"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", PATH), **proxies()},
        capture_output=True,
        text=True,
        timeout=4 * LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for path in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", path, folder], check=True)


def proxies() -> dict[str, str]:
    """Return the variables by which apt reaches its mirror."""
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
