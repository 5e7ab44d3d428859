"""A substitute for Docker: it executes a Dockerfile on a copy of this machine's files.

The base image cannot be had, so its place is taken by what it must have: a Python and pip in
/usr/local, and no users but root. All else is real: the steps are run by a shell, in a root folder
of their own (an overlay, so that nothing of them stays), and so is the container's command, as the
image's user, under its host name, with its volumes. What is not known here is an error.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests import venvs

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The image's files are below $root. A step of root's, which may ask PyPI; a command of the user's.
BASE = r"""
set -eu
mount -t tmpfs -o mode=755 none "$folder"
mkdir "$folder/upper" "$folder/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" none "$root"
for name in proc dev; do mount --rbind "/$name" "$root/$name"; done
for name in resolv.conf hosts; do cp --remove-destination "/etc/$name" "$root/etc/$name"; done
echo root:x:0:0::/root:/bin/sh >"$root/etc/passwd"
echo root:x:0: >"$root/etc/group"
echo 'root:*:19000::::::' >"$root/etc/shadow"
rm -f "$root/etc/gshadow" "$root/etc/subuid" "$root/etc/subgid"
for path in $closed; do chmod a+x "$root$path"; done
rm -rf "$root/usr/local" "$root/home"
mkdir "$root/usr/local" "$root/home"
"$base" -m venv --without-pip "$root/usr/local"
cat >"$root/usr/local/bin/pip" <<END
#!/bin/sh
exec "$python" -m pip --python /usr/local/bin/python "\$@"
END
chmod 755 "$root/usr/local/bin/pip"
as_root() { PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /bin/sh -ec "$1"; }
"""
CONTAINER = r"""
echo "$host" >/proc/sys/kernel/hostname
mount --bind "$outside" "$root$inside"
home=$(sed -n "s/^$user:.*:\([^:]*\):[^:]*$/\1/p" "$root/etc/passwd")
set -- HOME="$home" PATH=/usr/local/bin:/usr/bin:/bin "$@"
exec chroot --userspec="$user:$user" --groups= "$root" env -i "$@"
"""


class Dockerfile:
    """What a Dockerfile says, as lines of a shell."""

    def __init__(self, text: str) -> None:
        self.env: dict[str, str] = {}
        self.user = "root"
        self.command: list[str] = []
        self.steps: list[str] = []
        for line in text.replace("\\\n", " ").splitlines():
            word, _, rest = line.partition(" ")
            getattr(self, f"_{word.lower()}")(rest)

    def _from(self, image: str) -> None:
        assert re.fullmatch(r"python:3\.\d+-slim", image), image
        assert not self.steps

    def _copy(self, words: str) -> None:
        *sources, target = words.split()
        assert target.endswith("/")
        self.steps.append(f'mkdir -p "$root{target}"')
        # Not quoted: a source may be a pattern.
        self.steps.append(f'(cd "$context" && cp -- {" ".join(sources)} "$root{target}")')

    def _run(self, script: str) -> None:
        assert self.user == "root"
        self.steps.append(f"as_root {shlex.quote(script)}")

    def _env(self, words: str) -> None:
        self.env |= dict(pair.split("=", 1) for pair in shlex.split(words))

    def _user(self, name: str) -> None:
        self.user = name

    def _cmd(self, words: str) -> None:
        self.command = json.loads(words)


class Docker:
    """Runs commands of a shell on a host whose ``docker`` is this one."""

    def __init__(self, folder: Path, context: Path, env: Mapping[str, str]) -> None:
        """``context`` is the working directory; ``env`` is what containers get beside theirs."""
        self.folder = folder
        self.context = context
        self.env = dict(env)
        self.dockerfile = Dockerfile((context / "Dockerfile").read_text())
        self.tag = ""

    def run(self, commands: list[str]) -> str:
        """Run the commands; return what they print, but for what the build says."""
        lines = [self._line(command) for command in commands]
        named = {
            "folder": str(self.folder),
            "root": str(self.folder / "root"),
            "context": str(self.context),
            "python": sys.executable,
            "base": str(Path(sys.base_prefix) / "bin" / "python3"),
            "closed": " ".join(str(each) for each in Path(sys.base_prefix).parents),
        }
        done = subprocess.run(
            ["unshare", "--mount", "/bin/sh", "-c", "\n".join([BASE, *lines])],
            env={**venvs.environment(), **named, "PIP_NO_COMPILE": "1"},
            cwd=self.context,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done
        return done.stdout

    def _line(self, command: str) -> str:
        program, *words = shlex.split(command)
        if program != "docker":
            return command
        verb, *words = words
        return self._build(words) if verb == "build" else self._container(verb, words)

    def _build(self, words: list[str]) -> str:
        option, self.tag, place = words
        assert (option, place) == ("--tag", ".")
        return "{ " + "\n".join(self.dockerfile.steps) + "\n} >&2"

    def _container(self, verb: str, words: list[str]) -> str:
        parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
        parser.add_argument("--rm", action="store_true", required=True)
        parser.add_argument("--hostname", required=True)
        parser.add_argument("--volume", required=True)
        parser.add_argument("image")
        given = parser.parse_args(words)
        assert (verb, given.image) == ("run", self.tag)
        outside, inside = given.volume.split(":")
        named = {
            "host": given.hostname,
            "outside": outside,
            "inside": inside,
            "user": self.dockerfile.user,
        }
        variables = [f"{name}={value}" for name, value in (self.dockerfile.env | self.env).items()]
        script = ["unshare", "--mount", "--uts", "/bin/sh", "-euc", CONTAINER, "sh"]
        settings = [f"{name}={value}" for name, value in named.items()]
        return shlex.join(["env", *settings, *script, *variables, *self.dockerfile.command])
