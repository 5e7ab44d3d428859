"""The manual pages: what the parsers say, as roff likes it, and where `man` finds it."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from credproc import options
from credproc.ctl import __main__ as ctl
from tests import artefacts, manpages, needs
from tests.harness import SCRIPTS

if TYPE_CHECKING:
    from tests.harness import Host

NAMES = ("credproc", "credprocctl")
each = pytest.mark.parametrize("name", NAMES)


def parser(name: str) -> argparse.ArgumentParser:
    return options.parser() if name == "credproc" else ctl.parser()


def called(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one of the programs for manual pages."""
    needs.demand(command[0])
    environ = {"PATH": os.defpath, "LANG": "C.UTF-8", "MANWIDTH": "10000", **env}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def words(text: str) -> str:
    """Return the text without the way it is laid out."""
    return " ".join(text.split())


@each
def test_page_is_what_the_parser_and_the_readme_say_now(name: str) -> None:
    """Else: python -m tests.manpages."""
    assert manpages.path(name).read_text(encoding="ascii") == manpages.pages()[name]


@each
def test_page_is_as_roff_likes_it(name: str) -> None:
    path = str(manpages.path(name))

    lint = called("mandoc", "-Tlint", "-Wwarning", path)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")
    shown = called("man", "--warnings", "-E", "UTF-8", "-l", path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"{name.upper()}(1)")


@each
def test_help_page_and_completion_have_each_option_in_the_same_words(name: str, host: Host) -> None:
    page = words(called("man", "-E", "ascii", "-l", str(manpages.path(name))).stdout)
    script = host.run("completion", "zsh", "--only", name, command=SCRIPTS / "credprocctl")
    completion = words(re.sub(r"[\\\\'\"]", "", script.stdout.decode()))

    seen = 0
    for each in manpages.parsers(parser(name)):
        told = words(each.format_help())
        for action in each._actions:
            if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
                continue
            seen += 1
            assert action.help
            text = words(action.help.replace("%(prog)s", each.prog))
            for option in action.option_strings:
                assert option in told
                assert option in completion
                assert option in page or "--help" in action.option_strings
            assert text in told
            assert text in page or "--help" in action.option_strings
            assert re.sub(r"[\\\\'\"]", "", text) in completion.replace("[", "").replace("]", "")
    assert seen > 20


@each
def test_page_has_each_option_with_its_value_under_the_command_that_takes_it(name: str) -> None:
    source = manpages.path(name).read_text(encoding="ascii")
    shown = re.sub(r"\\f[BIR]|\\[,/]", "", source).replace("\\-", "-")
    before, *parts = re.split(r"^\.SS (credprocctl .+)\n", shown, flags=re.MULTILINE)
    under = {name: before, **dict(zip(parts[::2], parts[1::2], strict=True))}

    assert f"\n-h, --help\n{manpages.HELP[name]}\n" in before
    for each in manpages.parsers(parser(name)):
        for action in each._actions:
            if action.option_strings and "--help" not in action.option_strings:
                told = each._get_formatter()._format_action_invocation(action)
                assert f"\n{told}\n" in under[each.prog]


@each
def test_man_finds_the_page_of_what_is_installed(name: str) -> None:
    if artefacts.DIST not in os.environ:
        pytest.skip("a checkout that is installed as it stands has no place for pages")
    installed = Path(sysconfig.get_path("data")) / "share" / "man" / "man1" / f"{name}.1"

    found = called("man", "-w", name, PATH=f"{SCRIPTS}:{os.defpath}")

    assert found.stdout.strip() == str(installed)
    assert installed.read_bytes() == manpages.path(name).read_bytes()


@each
def test_page_tells_the_whole_of_it(name: str) -> None:
    text = manpages.path(name).read_text(encoding="ascii")

    sections = re.findall(r"^\.SH (.+)$", text, re.MULTILINE)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert sections[-5:] == ["EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"]
    assert "OPTIONS" in sections
