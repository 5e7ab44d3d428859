"""credprocctl profile wrap and unwrap: put the cache in front of profiles of the same name."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING

from credproc.ctl import arguments, changing, commandline, wrapping
from credproc.ctl.output import Result
from credproc.ctl.rewriting import Unwritable, rewriting
from credproc.ctl.shared import Shared, load, parsed
from credproc.ctl.steps import Failed, Steps
from credproc.errors import RequestError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import Any

    from credproc.ctl.output import Console

EXAMPLES = """\
credprocctl profile wrap dev --dry-run
credprocctl profile wrap --all
aws s3 ls --profile dev
credprocctl profile unwrap --all"""

#: The option that only makes sense for profiles with an MFA device.
SESSION = "--mfa-session"


def add(parts: Any) -> None:
    """Add the commands to those of ``profile``."""
    made = arguments.command(
        parts, "wrap", wrap, "put the cache in front of profiles, which keep their names",
        "The profile NAME (a role, SSO, MFA, another credential_process) is renamed to "
        "NAME-source, and a new profile NAME runs credproc with --profile NAME-source, with the "
        "same region and other settings. Profiles that have NAME as their source_profile continue "
        "to work. The options after -- are passed to credproc, for example --mfa-command.",
        example=EXAMPLES,
        takes_options=True,
    )  # fmt: skip
    made.usage = f"%(prog)s [OPTION ...] NAME ... [{arguments.OPTIONS}]"
    _add_common(made, "all profiles that can be wrapped")
    made.add_argument(
        SESSION, action="store_true",
        help=f"use {SESSION} in profiles that have an MFA device, so that one code a day is enough "
        f"(for another duration: `-- {SESSION} SECONDS`)",
    )  # fmt: skip
    arguments.executable(made)
    made = arguments.command(
        parts, "unwrap", unwrap, "undo `profile wrap`, byte for byte",
        "Settings that you have changed in the profile NAME since then are kept.",
        example=EXAMPLES,
    )  # fmt: skip
    _add_common(made, "all profiles that were wrapped")


def _add_common(made: Any, every: str) -> None:
    arguments.profiles(made, every)
    made.add_argument(
        "--suffix", default=wrapping.SUFFIX, metavar="TEXT",
        help=f"the suffix of the renamed profile (default: {wrapping.SUFFIX})",
    )  # fmt: skip
    arguments.changes(made, question=False)


def wrap(given: argparse.Namespace, console: Console) -> Result:
    """Put the cache in front of the profiles."""
    options = [SESSION] * given.mfa_session + (given.options or [])
    alone = ["--profile", "NAME"]
    if parsed([*alone, *options]).providers != parsed(alone).providers:
        raise UsageError(
            "wrap: options after -- must not name a provider (--mfa-command and "
            "--mfa-session are allowed)"
        )
    _check(given)
    executable = commandline.executable(given.executable, os.environ)

    def check(files: Shared, name: str) -> bool:
        source = name + given.suffix
        if wrapping.cached_by(files, name) == source:
            return not wrapping.is_whole(files, name)
        wrapping.check(files, name, source)
        return True

    def change(files: Shared, names: Sequence[str]) -> Shared:
        words = {
            name: [executable, "--profile", name + given.suffix, *_fitting(options, files, name)]
            for name in names
        }
        lines = {name: commandline.join(each) for name, each in words.items()}
        return wrapping.wrapped(files, lines, given.suffix)

    def every(files: Shared) -> list[str]:
        sources = {wrapping.cached_by(files, name) for name in files.profiles()}
        return [name for name in files.profiles() if name not in sources]

    return _Command(given, console, "wrapped", check, change, every).result()


def _fitting(options: Sequence[str], files: Shared, name: str) -> list[str]:
    """Return the options without --mfa-session, if the profile has no MFA device."""
    words = list(options)
    if files.keys(name).get("mfa_serial"):
        return words
    for place in reversed([number for number, word in enumerate(words) if word == SESSION]):
        has_value = place + 1 < len(words) and not words[place + 1].startswith("-")
        del words[place : place + 1 + has_value]
    return [word for word in words if not word.startswith(f"{SESSION}=")]


def unwrap(given: argparse.Namespace, console: Console) -> Result:
    """Undo what wrap did."""
    _check(given)

    def check(files: Shared, name: str) -> bool:
        source = wrapping.cached_by(files, name)
        if source != name + given.suffix:
            hint = f"; it caches {source}: give --suffix, or use profile remove" if source else ""
            raise RequestError(f"profile {name} was not wrapped{hint}")
        return True

    def change(files: Shared, names: Sequence[str]) -> Shared:
        return wrapping.unwrapped(files, names, given.suffix)

    def every(files: Shared) -> list[str]:
        names = files.config.profiles()
        return [name for name in names if wrapping.cached_by(files, name) == name + given.suffix]

    return _Command(given, console, "unwrapped", check, change, every).result()


def _check(given: argparse.Namespace) -> None:
    arguments.check_profiles(given)
    suffix: str = given.suffix
    if not suffix or not suffix.isprintable() or set(suffix) & set(" \t[]\"'\\#;"):
        raise UsageError("--suffix: must be letters, digits and - or _, like -source")


class _Command:
    """A change to several profiles, made as one new version of each file."""

    def __init__(
        self,
        given: argparse.Namespace,
        console: Console,
        participle: str,
        check: Callable[[Shared, str], bool],
        change: Callable[[Shared, Sequence[str]], Shared],
        every: Callable[[Shared], list[str]],
    ) -> None:
        self.given = given
        self.console = console
        self.participle = participle
        #: Tells whether a profile must change; makes all changes; lists the profiles for --all.
        self.check = check
        self.change = change
        self.every = every
        self.done: list[str] = []
        #: The profiles that stay as they are, and why.
        self.left: dict[str, str] = {}

    def result(self) -> Result:
        """Change the files, or say what would change."""
        before = load(os.environ)
        after = self._changed(before)
        shown = "".join(map(changing.diff, before, after))
        problem = ""
        with Steps(self.console, self.given.dry_run) as steps:
            try:
                self._apply(before, after, steps)
            except Unwritable as error:
                problem = f"{error}; change it by hand"
        for name, reason in self.left.items():
            self.console.note(reason if name in reason else f"{name}: {reason}")
        if problem:
            self.console.note(problem)
        text = shown if problem or self.given.dry_run else ""
        if not text and not self.done:
            text = f"No profile was {self.participle}.\n"
        elif not text:
            text = self._advice(after)
        return Result(text, self._data(shown, problem, steps), 1 if problem else 0)

    def _data(self, shown: str, problem: str, steps: Steps) -> dict[str, Any]:
        return {
            "profiles": [{"profile": name, "source": name + self.given.suffix}
                         for name in self.done],
            "left": [{"profile": name, "reason": reason} for name, reason in self.left.items()],
            "diff": shown,
            "problem": problem,
            "dry_run": self.given.dry_run,
            "steps": steps.data(),
        }  # fmt: skip

    def _changed(self, files: Shared) -> Shared:
        """Return the files with all the profiles changed; with --all, as many as can be."""
        for name in self.every(files) if self.given.every else dict.fromkeys(self.given.names):
            try:
                if self.check(files, name):
                    self.done.append(name)
                elif not self.given.every:
                    self.left[name] = f"profile {name} is already {self.participle}"
            except RequestError as error:
                if not self.given.every:
                    raise
                self.left[name] = str(error)
        try:
            return self.change(files, self.done)
        except RequestError:
            if not self.given.every:
                raise
            return self._one_by_one(files)

    def _one_by_one(self, files: Shared) -> Shared:
        """Return the files with the profiles changed one by one, except those that cannot be."""
        names, self.done = self.done, []
        for name in names:
            try:
                files = self.change(files, [name])
                self.done.append(name)
            except RequestError as error:
                self.left[name] = str(error)
        return files

    def _apply(self, before: Shared, after: Shared, steps: Steps) -> None:
        """Replace the files in an order in which the profiles work at every moment.

        While the old keys and the new line are both there, tools use the old keys.
        """
        pairs = [each for each in zip(before, after, strict=True) if each[0] is not each[1]]
        if self.participle == "unwrapped":
            pairs.reverse()
        for old, _ in pairs:
            changing.check(old.path)
        with contextlib.ExitStack() as stack:
            locked = [
                (stack.enter_context(rewriting(old.path)), old, new)
                for old, new in (() if steps.dry_run else pairs)
            ]
            for file, old, _ in locked:
                if file.data != old.encode():
                    raise Failed(f"{old.path}: another program changed it just now; run this again")
            if steps.dry_run:
                for old, _ in pairs:
                    steps.change(old.path, "rewritten", lambda: None)
            for file, old, new in locked:
                # The file with keys is not copied: nothing but the name of a section changes there.
                work = partial(file.replace, new.encode(), backup=new is after.config)
                backup = steps.change(old.path, "rewritten", work)
                if backup:
                    steps.same("your original file", f"saved as {backup}")

    def _advice(self, files: Shared) -> str:
        """Return what was done, and what to do now."""
        if self.participle == "unwrapped":
            return "".join(f"profile {name}: unwrapped\n" for name in self.done)
        suffix = self.given.suffix
        lines = [
            f"profile {name}: runs credproc; the original is {name}{suffix}" for name in self.done
        ]
        words = ["aws", "sts", "get-caller-identity", "--profile", self.done[0]]
        lines.append(f"Try it: {commandline.join(words)}")
        sources = [name + suffix for name in self.done]
        by_sso = [
            name for name in sources if {"sso_session", "sso_start_url"} & {*files.keys(name)}
        ]
        for name in by_sso[:1]:
            words = ["aws", "sso", "login", "--profile", name]
            lines.append(f"To sign in: {commandline.join(words)}")
        return "".join(f"{line}\n" for line in lines)
