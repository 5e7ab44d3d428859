"""credprocctl cache warm: fetch the credentials of profiles before they are needed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from credproc import credentials, prompt, windows
from credproc.ctl import arguments, commandline
from credproc.ctl.output import Result, span
from credproc.ctl.shared import load, of_profile
from credproc.errors import UsageError, clean
from credproc.mfa import NO_TERMINAL
from credproc.providers.signin import COMMANDS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from credproc.ctl.output import Console
    from credproc.ctl.shared import Shared

EXAMPLES = """\
examples:
  credprocctl cache warm dev prod
  credprocctl cache warm --all && echo ready to go offline

exit status:
  0 all profiles are ready, 1 some are not
"""

#: The states of a profile.
READY, CODE, SIGN_IN, FAILED = "ready", "MFA code", "sign-in", "failed"
#: Said of a profile whose credentials do not expire.
KEYS = "with long-term keys, which are never cached"
#: Text in an error of credproc that tells a person to do something, and the state it stands for.
NEEDS = {NO_TERMINAL: CODE, **dict.fromkeys(COMMANDS.values(), SIGN_IN)}
#: Processes at a time: each loads botocore, and AWS throttles.
MOST = 8


class Warmed:
    """The result for one profile: its state, its error line, when its credentials expire."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name = name
        self.words = list(words)
        self.state = FAILED
        self.error = ""
        self.expiration = 0
        self.is_temporary = True

    def run(self, prompt: bool = False, refresh: bool = False) -> Warmed:
        """Run credproc as the profile does; without ``prompt`` it has no terminal."""
        if not self.words:
            return self
        try:
            done = subprocess.run(
                [*self.words, *["--refresh"] * refresh],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=not prompt,
                check=False,
            )
        except OSError as error:
            self.error = f"{self.words[0]} cannot be run: {error.strerror}"
            return self
        self.error = clean(done.stderr.decode(errors="replace")).removeprefix("credproc: ")
        self.state = READY
        if done.returncode:
            known = (state for words, state in NEEDS.items() if words in self.error)
            self.state = next(known, FAILED)
        else:
            document = json.loads(done.stdout)
            self.is_temporary = "SessionToken" in document
            self.expiration = credentials.read_time(document["Expiration"], "credproc")
        return self

    def line(self, now: float) -> str:
        """Return the line that reports the result."""
        if self.state == READY:
            ends = f"expires in {span(self.expiration - now)}"
            return f"{self.name}: ready, {ends if self.is_temporary else KEYS}"
        if self.state == CODE:
            words = commandline.join(["credprocctl", "cache", "warm", self.name])
            return f"{self.name}: needs an MFA code of its own: run {words} in a terminal"
        needed = "needs a sign-in" if self.state == SIGN_IN else "failed"
        return f"{self.name}: {needed}: {self.error}"

    def data(self) -> dict[str, Any]:
        """Return the result as data for JSON."""
        return {
            "profile": self.name,
            "state": self.state,
            "expiration": credentials.write_time(self.expiration) if self.expiration else None,
            "error": self.error or None,
        }


def add(parts: Any) -> None:
    """Add the command to those of ``cache``."""
    made = arguments.command(
        parts, "warm", warm, "fetch credentials now, so that they are cached when needed",
        "Profiles are fetched in parallel, those that need an MFA code last. There is one prompt "
        "for a code at most; profiles that need another code or a sign-in are reported.",
        example=EXAMPLES,
    )  # fmt: skip
    arguments.profiles(made, "all profiles that run credproc")
    made.add_argument(
        "--dry-run",
        action="store_true",
        help="show which profiles would be fetched, and fetch nothing",
    )


def warm(given: argparse.Namespace, console: Console) -> Result:
    """Fetch the credentials of the profiles."""
    arguments.check_profiles(given)
    files = load(os.environ)
    names = list(files.commands() if given.every else dict.fromkeys(given.names))
    found = [_planned(files, name) for name in names]
    if given.dry_run:
        return Result("".join(f"{name}\n" for name in names), {"profiles": names, "dry_run": True})

    def report(each: Warmed) -> None:
        console.say(each.line(time.time()))

    _fetch(found, report)
    ready = sum(each.state == READY for each in found)
    data = {"profiles": [each.data() for each in found], "dry_run": False}
    text = f"Ready: {ready} of {len(found)} profiles.\n" if found else "No profile runs credproc.\n"
    return Result(text, data, 0 if ready == len(found) else 1)


def _planned(files: Shared, name: str) -> Warmed:
    """Return a profile to warm; one whose command line is wrong has failed already."""
    try:
        return Warmed(name, of_profile(files, name).command())
    except UsageError as error:
        found = Warmed(name, [])
        found.error = str(error)
        return found


def _fetch(found: Sequence[Warmed], report: Callable[[Warmed], None]) -> None:
    """Run all of them; prompt for one code, then retry the others, which may need no more codes."""
    with ThreadPoolExecutor(MOST) as pool:
        _together(pool, found, report)
        waiting = [each for each in found if each.state == CODE]
        if waiting and prompt.has_terminal():
            first = waiting.pop(0).run(prompt=True)
            report(first)
            if first.state == READY:
                _together(pool, waiting, report)
        for each in waiting:
            if each.state == CODE:
                report(each)


def _together(
    pool: ThreadPoolExecutor, found: Iterable[Warmed], report: Callable[[Warmed], None]
) -> None:
    """Run them in parallel and report each when it is done, unless it needs a code."""
    for future in as_completed([pool.submit(_warmed, each) for each in found]):
        each = future.result()
        if each.state != CODE:
            report(each)


def _warmed(found: Warmed) -> Warmed:
    """Fetch what is not cached, and refresh what credproc would soon refresh."""
    found.run()
    if found.state == READY and found.expiration - time.time() < windows.REFRESH_AHEAD:
        again = Warmed(found.name, found.words).run(refresh=True)
        if again.state == READY:
            found.expiration = again.expiration
    return found
