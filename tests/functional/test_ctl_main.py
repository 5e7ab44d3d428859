"""credprocctl as a command: its errors, its statuses, its help, its terminal."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import credproc
from credproc import options
from credproc.ctl import execute
from credproc.ctl.__main__ import parser, split
from tests.ctl import CREDPROCCTL, Terminal, failed, real

if TYPE_CHECKING:
    import argparse

    from tests.harness import Host


def commands(of: argparse.ArgumentParser) -> list[list[str]]:
    """Return every command, as the words that lead to it."""
    found: list[list[str]] = []
    for action in of._actions:
        if isinstance(action.choices, dict):
            for name, each in action.choices.items():
                found += [[name, *more] for more in commands(each)] or [[name]]
    return found


COMMANDS = commands(parser())


def test_every_command_is_known() -> None:
    assert sorted(" ".join(words) for words in COMMANDS) == [
        "cache clear", "cache list", "cache path", "cache prune", "cache show", "cache warm",
        "completion",
        "doctor", "exec", "explain", "launcher", "profile add", "profile remove", "profile show",
        "profile unwrap", "profile wrap", "role attach", "role create", "role delete",
        "role detach", "role launch-options", "role list", "role name", "role status",
    ]  # fmt: skip


#: A command line in an example, without what follows it in a line for a shell.
EXAMPLE = re.compile(r"credprocctl [^\n|&>)\"]+")


def parser_of(words: list[str]) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    of = parser()
    for word in words:
        (group,) = [each for each in of._actions if isinstance(each.choices, dict)]
        assert isinstance(group.choices, dict)
        of = group.choices[word]
    return of


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_both_outputs(words: list[str]) -> None:
    of = parser_of(words)

    text = of.format_help()
    assert "--output {text,json}" in text
    assert len(of.description or "") > 10
    assert all(len(line) < 80 for line in f"{of.description}\n{of.epilog}".splitlines())
    assert all(action.help for action in of._actions)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_ends_with_examples_that_the_command_accepts(words: list[str]) -> None:
    shown = parser_of(words).epilog or ""
    examples = [shlex.split(line)[1:] for line in EXAMPLE.findall(shown)]

    assert any(each[: len(words)] == words for each in examples)
    for each in examples:
        own, rest = split(each)
        given = parser().parse_args(own)
        assert rest is None or given.takes_options
        if rest and given.command is not execute.run:
            options.parse(rest)


def test_help_and_version(host: Host) -> None:
    assert real(host, "--version") == f"credprocctl {credproc.__version__}\n"
    assert "credprocctl role attach app --instance this" in real(host, "--help")
    assert "-- CREDPROC OPTIONS" in real(host, "profile", "add", "--help")
    assert real(host, "role", "--help").startswith("usage: credprocctl role")


def test_module_is_the_same_as_the_command(host: Host) -> None:
    result = host.run("-m", "credproc.ctl", "--version", command=sys.executable)

    assert result.stdout.decode().endswith(f" {credproc.__version__}\n")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            [],
            "give a command: role, profile, exec, doctor, cache, explain, launcher or completion (",
        ),
        (["completion"], "SHELL is missing (see credprocctl completion"),
        (["role", "create"], "NAME and --policy are missing (see credprocctl role create"),
        (["nonsense"], "launcher or completion (see credprocctl --help)"),
        (["profile", "list"], "unknown command list; use add, show, wrap, unwrap or remove (see"),
        (["profile", "ad"], "unknown command ad; did you mean add? (see credprocctl profile"),
        (["--output=text", "cache", "list"], "--output: options come after the command"),
        (["cache", "-v", "list"], "as in: credprocctl cache list -v"),
        (["role", "attach", "x", "--instance"], "--instance: the value is missing"),
        (
            ["role"],
            "name, launch-options or delete (see credprocctl role --help)",
        ),
        (["cache", "list", "--nonsense=geheim"], "unknown option --nonsense"),
        (["cache", "list", "--outp", "json"], "unknown option --outp; did you mean --output?"),
        (["cache", "list", "--output", "xml"], "--output: must be one of text, json, not xml"),
        (["cache", "list", "--", "--imds"], "this command takes no credproc options after --"),
        (["doctor", "a", "--", "--imds"], "not both"),
        (["doctor", "a", "b"], "unexpected argument b"),
        (
            ["profile", "add", "x", "--role-arn", "geheim"],
            "unknown option --role-arn: credproc's options go after --",
        ),
        (["profile", "add", "x", "--nonsense"], "unknown option --nonsense"),
        (["cache", "list", "--imds"], "unknown option --imds"),
    ],
)
def test_usage_error_is_one_line(host: Host, words: list[str], reason: str) -> None:
    error = failed(host, *words, status=2)

    assert reason in error
    assert ("go after" in error) == ("go after" in reason)
    assert "geheim" not in error


def test_options_after_the_dashes_are_credprocs() -> None:
    assert split(["a", "--", "-v", "--", "x"]) == (["a"], ["-v", "--", "x"])
    assert split(["a", "-v"]) == (["a", "-v"], None)
    assert split(["a", "--"]) == (["a"], [])


def test_interruption_is_quiet(host: Host) -> None:
    from tests.servers.imds import ImdsServer

    with ImdsServer() as imds, imds.hold("token") as hold:
        host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url
        process = host.start("role", "name", command=CREDPROCCTL)
        hold.wait_for()
        process.signal(2)
        result = process.wait()

    assert (result.status, result.stdout, result.stderr) == (130, b"", "")


def test_reader_that_closes_the_pipe_early_is_not_an_internal_error(host: Host) -> None:
    host.cache.mkdir(parents=True, mode=0o700)
    for number in range(2000):
        (host.cache / f"{number:0200}").touch()

    script = '"$0" cache list | head -n 1; echo "${PIPESTATUS[0]}"'
    result = host.run("-c", script, str(CREDPROCCTL), command="/bin/bash")

    assert result.stdout.decode().splitlines()[1] == "1", result
    assert result.stderr == ""


def test_full_disk_is_one_line(host: Host) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [CREDPROCCTL, "cache", "path"], env=host.env(), stdout=full, stderr=subprocess.PIPE,
            check=False,
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (1, b"credprocctl: No space left on device\n")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_characters_that_the_locale_lacks_are_not_an_internal_error(
    host: Host, locale: str
) -> None:
    host.config("[profile jürgen]\ncredential_process = /x/credproc\n")

    envs: list[dict[str, Any]] = [{}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
    for env in envs:
        assert "/x/credproc" in real(host, "profile", "show", LANG=locale, LC_ALL=locale, **env)


def test_terminal_gets_colors_and_its_width(host: Host) -> None:
    def shown(columns: int, **env: str) -> list[str]:
        command = [str(CREDPROCCTL), "doctor", "--", "--imds"]
        with Terminal(command, {**host.env(), **env}, columns) as terminal:
            status, text = terminal.end()
        assert status == 1
        return text.splitlines()

    colored, plain = shown(60), shown(60, NO_COLOR="1")

    assert any("\x1b[1;31mfail" in line for line in colored)
    assert any("\x1b[32mok" in line for line in colored)
    assert not any("\x1b" in line for line in plain)
    # Only words that are longer than the column exceed it.
    assert all(len(line) <= 60 or " " not in line[24:].strip() for line in plain), plain
    assert len(shown(200)) < len(plain)


def test_pipe_gets_whole_lines_without_colors(host: Host) -> None:
    text = real(host, "doctor", "--", "--imds", status=1, COLUMNS="40")

    assert "\x1b" not in text
    assert any(len(line) > 100 for line in text.splitlines())


def test_internal_error_is_one_line(host: Host) -> None:
    # A module that fails on import represents any unforeseen error.
    (host.folder / "boto3.py").write_text("raise RuntimeError('geheim')\n")

    result = host.run("role", "list", command=CREDPROCCTL, PYTHONPATH=str(host.folder))

    assert result.status == 1
    assert result.stderr.count("\n") == 1
    assert (
        "internal error in credprocctl: RuntimeError at boto3.py:1; please report" in result.stderr
    )
    assert "geheim" not in result.stderr
    assert "Traceback" not in result.stderr
