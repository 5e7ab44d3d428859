"""The manual pages are up to date, valid roff, and where `man` finds them."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import artefacts, generated, manpages, needs, readme
from tests.harness import SCRIPTS

if TYPE_CHECKING:
    from tests.harness import Host

COMMANDS = [name for name, section in manpages.SECTIONS.items() if section == 1]
each_page = pytest.mark.parametrize("name", manpages.SECTIONS)
each_command = pytest.mark.parametrize("name", COMMANDS)


def called(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one of the programs for manual pages."""
    needs.demand(command[0])
    environ = {"PATH": os.defpath, "LANG": "C.UTF-8", "MANWIDTH": "10000", **env}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def words(text: str) -> str:
    """Return the text without its layout."""
    return " ".join(text.split())


def test_generated_files_are_up_to_date() -> None:
    """If not: python -m tests.generated."""
    for path, text in generated.files().items():
        assert path.read_text(encoding="utf-8") == text, path


def test_every_source_has_its_page() -> None:
    folder = artefacts.source() / readme.MANUAL
    pages = {manpages.path(name) for name in manpages.SECTIONS}

    assert {path.stem for path in folder.glob("*.rst")} == set(manpages.SECTIONS)
    assert {path for path in folder.iterdir() if path.suffix != ".rst"} == pages


@each_page
def test_page_is_as_roff_likes_it(name: str) -> None:
    path = str(manpages.path(name))

    lint = called("mandoc", "-Tlint", "-Wwarning", path)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


@each_page
def test_man_shows_the_page_without_a_warning(name: str) -> None:
    shown = called("man", "--warnings", "-E", "UTF-8", "-l", str(manpages.path(name)))

    assert (shown.returncode, shown.stderr) == (0, "")
    title = f"{manpages.page(name).upper()}({manpages.SECTIONS[name]})"
    assert shown.stdout.startswith(title)


@each_command
def test_help_page_and_completion_have_each_option_in_the_same_words(name: str, host: Host) -> None:
    page = words(called("man", "-E", "ascii", "-l", str(manpages.path(name))).stdout)
    script = host.run("completion", "zsh", "--only", name, command=SCRIPTS / "credprocctl")
    completion = words(re.sub(r"[\\\\'\"]", "", script.stdout.decode()))

    seen = 0
    for each in manpages.parsers(manpages.parser(name)):
        shown = words(each.format_help())
        for action in each._actions:
            if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
                continue
            seen += 1
            assert action.help
            text = words(action.help.replace("%(prog)s", each.prog))
            for option in action.option_strings:
                assert option in shown
                assert option in completion
                assert option in page
            assert text in shown
            assert text.replace("`", "") in page
            assert re.sub(r"[\\\\'\"]", "", text) in completion.replace("[", "").replace("]", "")
    assert seen > 20


def test_page_has_each_option_under_its_command() -> None:
    text = manpages.source("credprocctl").read_text(encoding="utf-8")
    synopsis = r"^``(credprocctl [a-z -]+?)(?: --\w+ [A-Z_]+)* \[OPTION.*\n"
    own, *parts = re.split(synopsis, text, flags=re.MULTILINE)
    under = dict(zip(parts[::2], parts[1::2], strict=True))

    seen = 0
    for each in manpages.parsers(manpages.parser("credprocctl")):
        for action in each._actions:
            if action.option_strings and not manpages.commands(each):
                where = own if set(action.option_strings) & COMMON else under[each.prog]
                assert f"\n``{', '.join(action.option_strings)}" in where
                seen += 1
    assert seen > 60


#: The options of every command, which its page has once.
COMMON = {"--help", "--output", "--verbose"}


@each_page
def test_man_finds_the_installed_page(name: str) -> None:
    if artefacts.DIST not in os.environ:
        pytest.skip("a checkout that is installed in place has no directory for pages")
    page = manpages.path(name)
    folder = Path(sysconfig.get_path("data")) / "share" / "man" / f"man{manpages.SECTIONS[name]}"

    found = called("man", "-w", manpages.page(name), PATH=f"{SCRIPTS}:{os.defpath}")

    assert found.stdout.strip() == str(folder / page.name)
    assert (folder / page.name).read_bytes() == page.read_bytes()


@each_command
def test_page_has_the_sections_that_readers_expect(name: str) -> None:
    text = manpages.path(name).read_text(encoding="utf-8")

    sections = re.findall(r"^\.SH (.+)$", text, re.MULTILINE)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert sections[-2:] == ["EXAMPLES", "SEE ALSO"]
    assert {"OPTIONS", "EXIT STATUS", "ENVIRONMENT"} <= set(sections)
