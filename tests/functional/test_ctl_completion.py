"""Completion in the real shells: what `credprocctl completion` prints is loaded and used."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from credproc import limits, options
from credproc.ctl import __main__ as ctl_main
from credproc.ctl.configfile import ConfigFile
from tests import completions, manpages
from tests.ctl import CREDPROCCTL, Terminal, data, failed, real
from tests.terminal import CONTROLLED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness import Host

#: What is typed, and what the shell must offer (all of it) for the last word.
CASES = [
    (["credproc", "--role-s"], ["--role-session-name"]),
    (["credproc", "--role-arn", "x", "--role-"], ["--role-arn", "--role-session-name"]),
    (["credproc", "--fo"], ["--format"]),
    (["credproc", "--format", "env"], ["env", "env-no-export"]),
    (["credproc", "--field", "S"], ["SecretAccessKey", "SessionToken"]),
    (["credproc", "--profile", "a"], ["app", "api"]),
    (["credprocctl", "ca"], ["cache"]),
    (["credprocctl", "cache", "c"], ["clear"]),
    (["credprocctl", "role", "de"], ["delete", "detach"]),
    (["credprocctl", "role", "create", "--max"], ["--max-session-duration"]),
    (["credprocctl", "doctor", "a"], ["app", "api"]),
    (["credprocctl", "profile", "remove", "d"], ["default"]),
    (["credprocctl", "explain", "--profile", "ap"], ["app", "api"]),
    (["credprocctl", "cache", "list", "--output", ""], ["text", "json"]),
]
IDS = [" ".join(words) for words, _ in CASES]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script for each shell, as the command prints it."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "fish"):
        command = [str(CREDPROCCTL), "completion", shell]
        done = subprocess.run(command, capture_output=True, check=True, env={"PATH": "/usr/bin"})
        (folder / shell).write_bytes(done.stdout)
    return folder


@pytest.fixture
def machine(host: Host) -> Host:
    """A machine with some profiles."""
    host.config("[default]\na = b\n[profile app]\na = b\n[profile api]\na = b\n[sso-session a]\n")
    return host


def bash(host: Host, script: Path, words: list[str]) -> list[str]:
    """Return what bash offers, by the function that it calls when Tab is pressed."""
    quoted = " ".join(f"'{word}'" for word in words)
    text = (
        f"source {script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        f"entry=$(complete -p {words[0]}); function=${{entry#*-F }}\n"
        '"${function%% *}" x\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    result = host.run("--norc", "--noprofile", "-c", text, command="/bin/bash")
    assert result.stderr == "", result
    return result.stdout.decode().split()


def fish(host: Host, script: Path, words: list[str]) -> list[str]:
    """Return what fish offers, as it computes it itself."""
    text = f"source {script}; complete -C '{' '.join(words)}'"
    result = host.run("--no-config", "-c", text, command="fish")
    assert result.stderr == "", result
    return [line.split("\t")[0] for line in result.stdout.decode().splitlines()]


LOAD = 'eval "$(<{})"'


def zsh(host: Host, script: Path, words: list[str], load: str = LOAD) -> list[str]:
    """Return what zsh lists when Tab is pressed in its line editor."""
    setup = host.folder / "setup"
    setup.write_text(
        "autoload -U compinit; compinit -u -D; zstyle ':completion:*' verbose no\n"
        "bindkey '^I' list-choices\n"  # lists also what it would insert
        f'{load.format(script)}; PS1="<ready>"\n'
    )
    env = host.env(TERM="dumb", PS1="<start>")
    with Terminal(["zsh", "-f", "-i"], env, columns=400) as terminal:
        terminal.wait_for("<start>")
        terminal.type(f"source {setup}\n")
        terminal.wait_for("<ready>")
        terminal.type(" ".join(words) + "\t")
        shown = terminal.wait_for("<ready>")  # the prompt below the list
    return shown.partition("\n")[2].split()


SHELLS: dict[str, Callable[[Host, Path, list[str]], list[str]]] = {
    "bash": bash, "fish": fish, "zsh": zsh,
}  # fmt: skip


ZSH = pytest.param("zsh", marks=pytest.mark.needs("zsh"))
FISH = pytest.param("fish", marks=pytest.mark.needs("fish"))
each_shell = pytest.mark.parametrize("shell", ["bash", ZSH, FISH])


@each_shell
@pytest.mark.parametrize(("words", "offers"), CASES, ids=IDS)
def test_shell_offers_the_possible_next_words(
    machine: Host, scripts: Path, shell: str, words: list[str], offers: list[str]
) -> None:
    found = SHELLS[shell](machine, scripts / shell, words)

    assert sorted(each for each in found if each.startswith(words[-1])) == sorted(offers)


#: How each shell is started for a person, and how it loads the script. Fish wants its terminal to
#: be the controlling one.
INTERACTIVE = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {script}"),
    "fish": ([*CONTROLLED, "fish", "--no-config", "-i"], "source {script}"),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u -D; eval "$(<{script})"'),
}

#: Names that mean something else to a shell, {ran} being a file, and what is typed before Tab.
NAMES = [
    ("two words", ""),
    ("two words", "tw"),
    ("two words", r"two\ w"),
    ("two words", '"two w'),
    ("two words", "'two w"),
    ("it's", "it"),
    ('say "hi"', "s"),
    ("back\\slash", "b"),
    ("$(touch {ran})", ""),
    ("$(touch {ran})", r"\$\(to"),
    ("$(touch {ran})", "'$("),
    ("(touch {ran})", ""),
    ("`touch {ran}`", ""),
    ("`touch {ran}`", r"\`t"),
    ("a;touch {ran}", "a"),
    ("$HOME *?~{{a,b}} & #!", ""),
]


def tabbed(host: Host, script: Path, shell: str, typed: str) -> str:
    """Return the word that a person's command gets after Tab, typed in the shell itself."""
    got = host.folder / "got"
    show = host.folder / "bin" / "credproc"
    show.parent.mkdir()
    show.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {got}\n')
    show.chmod(0o700)
    command, load = INTERACTIVE[shell]
    setup = host.folder / "setup"
    setup.write_text(f"{load.format(script=script)}; echo lo''aded\n")
    env = host.env(TERM="dumb", PATH=f"{show.parent}:{host.env()['PATH']}")
    with Terminal(command, env, columns=400) as terminal:
        terminal.type(f"source {setup}\n")
        terminal.wait_for("loaded\r\n")
        terminal.type(f"credproc --profile {typed}\t\nexit\n")
        status, shown = terminal.end()
    assert status == 0, shown
    option, *values = got.read_text().splitlines()
    assert option == "--profile"
    assert len(values) == 1, values
    return values[0]


@each_shell
@pytest.mark.parametrize(("name", "typed"), NAMES, ids=[" ".join(each) for each in NAMES])
def test_name_is_completed_as_one_word_and_never_run(
    host: Host, scripts: Path, shell: str, name: str, typed: str
) -> None:
    ran = host.folder / "ran"
    name = name.format(ran=ran)
    host.config(f"[profile {shlex.quote(name)}]\na = b\n")

    assert tabbed(host, scripts / shell, shell, typed) == name
    assert not ran.exists()


@each_shell
def test_header_that_names_no_profile_is_not_run(host: Host, scripts: Path, shell: str) -> None:
    ran = host.folder / "ran"
    host.config(f"[profile $(touch {ran})]\na = b\n[profile `touch {ran}`]\na = b\n")

    tabbed(host, scripts / shell, shell, r"\$")

    assert not ran.exists()


@each_shell
@pytest.mark.parametrize(
    "header",
    ["default", "profile app", "profile  two", "profile 'a b'", 'profile "a \\"b\\" \\\\c"',
     """profile 'a'"'"'b'""", "profile '\"a\"'", "profile \"'a'\""],
)  # fmt: skip
def test_name_is_that_in_the_header(host: Host, scripts: Path, shell: str, header: str) -> None:
    config = host.config(f"[{header}] # comment\na = b\n[sso-session x]\na = [profile y]\n")
    names = ConfigFile(config.read_bytes(), str(config)).profiles()

    assert [tabbed(host, scripts / shell, shell, "")] == names


@each_shell
def test_script_for_one_command_can_be_printed(host: Host, shell: str) -> None:
    both = real(host, "completion", shell)
    alone = [
        real(host, "completion", shell, "--only", name) for name in ("credproc", "credprocctl")
    ]

    assert both == "\n".join(alone)
    assert not [line for line in alone[0].splitlines() if "complete" in line and "ctl" in line]


def test_script_is_printed_as_json(host: Host) -> None:
    found = data(host, "completion", "fish", "--only", "credproc")

    assert found["script"] == real(host, "completion", "fish", "--only", "credproc")


def test_script_does_not_depend_on_the_terminal(host: Host) -> None:
    assert real(host, "completion", "zsh", COLUMNS="40") == real(host, "completion", "zsh")


def test_every_option_of_credproc_is_offered(machine: Host, scripts: Path) -> None:
    offered = bash(machine, scripts / "bash", ["credproc", "-"])

    assert sorted(offered) == sorted(options.parser().options)


@pytest.mark.parametrize("shell", ["bash", FISH])
def test_every_option_of_credprocctl_is_offered_after_its_command(
    machine: Host, scripts: Path, shell: str
) -> None:
    parsers = list(manpages.parsers(ctl_main.parser()))
    for each in parsers:
        offered = SHELLS[shell](machine, scripts / shell, [*each.prog.split(), "--"])
        known = [option for action in each._actions for option in action.option_strings]
        assert sorted(offered) == sorted(option for option in known if option.startswith("--"))
    assert len(parsers) > 15


@pytest.mark.parametrize(
    ("option", "values"), [("--format", limits.FORMATS), ("--field", limits.FIELDS)]
)
def test_values_are_those_that_credproc_accepts(
    machine: Host, scripts: Path, option: str, values: tuple[str, ...]
) -> None:
    assert sorted(bash(machine, scripts / "bash", ["credproc", option, ""])) == sorted(values)


def test_library_that_makes_the_scripts_is_not_needed_to_print_them(host: Host) -> None:
    hidden = host.folder / "shtab.py"
    hidden.write_text("raise ImportError\n")

    assert real(host, "completion", "bash", PYTHONPATH=str(host.folder))


@pytest.mark.needs("zsh")
def test_zsh_loads_the_script_of_its_folder(machine: Host) -> None:
    folder = completions.path("zsh", "credproc").parent

    offers = zsh(machine, folder, ["credproc", "--fo"], "fpath=({} $fpath); compinit -u -D")

    assert [each for each in offers if each.startswith("--fo")] == ["--format"]


@pytest.mark.needs("fish")
def test_fish_loads_the_script_of_its_folder(machine: Host) -> None:
    data = machine.folder / "data"
    (data / "fish").mkdir(parents=True)
    folder = completions.path("fish", "credproc").parent
    (data / "fish" / "vendor_completions.d").symlink_to(folder)
    text = "complete -C 'credprocctl profile remove d'"

    result = machine.run("-c", text, command="fish", XDG_DATA_DIRS=str(data))

    assert "default" in result.stdout.decode().split()


def test_unknown_shell_is_a_usage_error(host: Host) -> None:
    assert "SHELL: must be one of bash, zsh, fish, not tcsh" in failed(
        host, "completion", "tcsh", status=2
    )
