"""MFA: a command prints the code, a person types it on the terminal, or the run fails at once."""

from __future__ import annotations

import json
import os
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING

import pytest

from credproc import cache
from tests import cachedir
from tests.consumers.waiting import Waiting
from tests.terminal import Terminal, result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.sts import StsServer

A = "arn:aws:iam::111122223333:role/a"
B = "arn:aws:iam::444455556666:role/b"
DEVICE = "arn:aws:iam::111122223333:mfa/me"
CODE, NEXT = "314159", "265358"
ARGV = ["--role-arn", A, "--serial-number", DEVICE, "--source", "env"]
PROMPT = f"MFA code for {DEVICE} (role {A}): "
NEEDED = f"an MFA code for {DEVICE} is needed, but"
NOBODY = (
    f"{NEEDED} there is no terminal for a prompt: use --mfa-command, or run the same command once "
    "in a terminal"
)
BACKGROUND = (
    f"{NEEDED} this process is in the background of its terminal and cannot prompt: run it in the "
    "foreground (fg), or use --mfa-command"
)


@pytest.fixture
def person(host: Host, sts: StsServer) -> Host:
    """The machine of a user with keys, whose calls STS refuses without a correct code."""
    host.environ |= {
        "AWS_ENDPOINT_URL_STS": sts.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "0123456789abcdef" * 2,
    }
    sts.mfa_codes[DEVICE] = [CODE, NEXT]
    return host


@pytest.fixture
def terminal(person: Host) -> Iterator[Terminal]:
    """The person's terminal."""
    with Terminal(person) as opened:
        yield opened


def program(host: Host, script: str) -> Path:
    """Make a program of a shell script."""
    path = host.folder / "code"
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o700)
    return path


def device(host: Host) -> Path:
    """Make a program that prints one code after the other, like a device over time."""
    runs = host.folder / "runs"
    script = f'echo run >>{runs}; [ "$(wc -l <{runs})" = 1 ] && echo {CODE} || echo {NEXT}'
    return program(host, script)


def everything(host: Host) -> str:
    """Return all that is in the host's files, but for the programs."""
    files = [path for path in host.folder.rglob("*") if path.is_file() and path.name != "code"]
    return "\n".join(path.read_text("utf-8", "replace") for path in files)


# By a command.


def test_mfa_command_prints_the_code(person: Host, sts: StsServer) -> None:
    command = program(person, f"echo ' {CODE} '")
    document = person.document(*ARGV, "--mfa-command", str(command))

    (call,) = sts.calls
    assert call.parameters["SerialNumber"] == DEVICE
    assert call.parameters["TokenCode"] == CODE
    assert person.document(*ARGV, "--mfa-command", str(command)) == document
    assert len(sts.calls) == 1


def test_command_is_split_like_a_shell_would_and_run_without_one(person: Host) -> None:
    command = program(person, f'printf \'%s|\' "$0" "$@" >{person.folder}/argv; echo {CODE}')
    person.document(*ARGV, "--mfa-command", f"{command} 'a b' \"c\\\"d\" e\\ f $HOME * ; '' >x")

    words = (person.folder / "argv").read_text("utf-8").split("|")[:-1]
    assert words == [str(command), "a b", 'c"d', "e f", "$HOME", "*", ";", "", ">x"]


def test_command_is_found_on_path_and_gets_the_environment(person: Host) -> None:
    program(person, 'echo "$THE_CODE"')
    path = f"{person.folder}:{person.environ['PATH']}"

    person.document(*ARGV, "--mfa-command", "code", PATH=path, THE_CODE=CODE)


def test_command_is_run_once_for_each_role_that_wants_a_code(person: Host, sts: StsServer) -> None:
    argv = [*ARGV, "--role-arn", B, "--serial-number", DEVICE]
    person.document(*argv, "--mfa-command", str(device(person)))
    person.document(*argv, "--mfa-command", str(device(person)))

    assert (person.folder / "runs").read_text("ascii") == "run\nrun\n"
    assert [call.parameters["TokenCode"] for call in sts.calls] == [CODE, NEXT]


def test_command_knows_the_device(person: Host) -> None:
    command = program(person, f'[ "$CREDPROC_MFA_SERIAL" = {DEVICE} ] && echo {CODE}')

    person.document(*ARGV, "--mfa-command", str(command))


def test_used_code_of_a_command_is_not_sent_again(person: Host, sts: StsServer) -> None:
    command = str(program(person, f"echo {CODE}"))
    person.document(*ARGV, "--mfa-command", command)
    # Another role, another process, and no time for the device's next code.
    again = person.run(
        *("--role-arn", B, "--serial-number", DEVICE, "--source", "env"),
        *("--mfa-command", command, "--timeout", "10"),
    )

    assert (again.status, again.stdout) == (1, b"")
    assert (
        f"printed a code for {DEVICE} that has been used already, and each code works once"
        in again.stderr
    )
    assert len(sts.calls) == 1


NO_CODE = f"printed no MFA code for {DEVICE}: expected six digits"
FAILURES = {
    "exit 3": "exited with status 3",
    "echo oops >&2; echo 'what is wrong' >&2; exit 1": "exited with status 1: what is wrong",
    "echo 'code 271828 is used' >&2; exit 1": "exited with status 1: code ****** is used",
    "kill -9 $$": "was killed by signal 9",
    "exit 0": NO_CODE,
    "echo 27182": NO_CODE,
    "echo 2718281": NO_CODE,
    "echo 271828; echo 182845": NO_CODE,
    r"printf '\342\205\240\342\205\240'": NO_CODE,
    r"printf '\377\000271828'": NO_CODE,
    "while echo 271828; do :; done": NO_CODE,
    "while echo oops; do :; done | head -100000 >&2; exit 1": "exited with status 1: oops",
    "while echo 271828; do :; done | head -100000": NO_CODE,
}


@pytest.mark.parametrize(("script", "words"), FAILURES.items())
def test_command_that_fails_is_one_line(
    person: Host, sts: StsServer, script: str, words: str
) -> None:
    command = program(person, script)
    failed = person.run(*ARGV, "--mfa-command", str(command))

    assert (failed.status, failed.stdout) == (1, b"")
    assert failed.stderr.startswith(f"credproc: chain: role 1 of 1, {A}: --mfa-command")
    assert words in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert not {"271828", "27182", "182845"} & set(failed.stderr.split())
    assert sts.calls == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/proc/nowhere/code", "/proc/nowhere/code cannot be run: No such file or directory"),
        (
            "no-such-command --code",
            "no-such-command cannot be run: No such file or directory (it is not on PATH: write",
        ),
        ("/etc", "/etc cannot be run: Permission denied"),
        ("~/bin/code", "~/bin/code cannot be run: No such file or directory"),
        ("SEED=JBSWY3DPEHPK3PXP oathtool", "NAME=VALUE is not a program"),
    ],
)
def test_command_that_is_not_a_program_is_one_line(person: Host, command: str, words: str) -> None:
    failed = person.run(*ARGV, "--mfa-command", command)

    assert (failed.status, failed.stdout) == (1, b"")
    assert failed.stderr.startswith(f"credproc: chain: role 1 of 1, {A}: --mfa-command: {words}")
    assert failed.stderr.count("\n") == 1
    assert "JBSWY3DPEHPK3PXP" not in failed.stderr


def test_failed_command_is_run_again_at_once(person: Host) -> None:
    failing = person.run(*ARGV, "--mfa-command", str(program(person, "exit 1")))
    assert failing.status == 1

    person.document(*ARGV, "--mfa-command", str(program(person, f"echo {CODE}")))


def test_code_is_neither_logged_nor_cached(person: Host) -> None:
    log = person.folder / "log"
    command = program(person, f"echo {CODE}")
    result = person.run(*ARGV, "--mfa-command", str(command), "-v", CREDPROC_LOG=str(log))

    assert result.status == 0
    assert "role 1 of 1" in result.stderr
    assert CODE not in result.stderr
    assert CODE not in everything(person)


def test_wrong_code_is_reported_as_one(person: Host, sts: StsServer) -> None:
    log = person.folder / "log"
    command = program(person, "echo 271828")
    failed = person.run(*ARGV, "--mfa-command", str(command), CREDPROC_LOG=str(log))

    assert (failed.status, failed.stdout) == (1, b"")
    assert "MultiFactorAuthentication failed with invalid MFA one time pass code" in failed.stderr
    assert "wait for the next one" in failed.stderr
    assert "trust policy" not in failed.stderr
    assert "271828" not in failed.stderr + everything(person)
    assert len(sts.calls) == 1


def test_profile_with_mfa_serial_uses_the_command(person: Host, sts: StsServer) -> None:
    person.config(
        f"[profile p]\nrole_arn = {A}\nmfa_serial = {DEVICE}\ncredential_source = Environment\n"
    )
    person.document("--profile", "p", "--mfa-command", str(program(person, f"echo {CODE}")))

    assert sts.calls[0].parameters["TokenCode"] == CODE


# At a terminal.


def test_prompt_is_only_on_the_terminal(terminal: Terminal, sts: StsServer) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type(f"{CODE}\n")
    document = result(process).document

    assert document["AccessKeyId"].startswith("ASIA")
    assert sts.calls[0].parameters["TokenCode"] == CODE
    assert terminal.read() == f"{PROMPT}\r\n"  # as with aws, what is typed is not shown
    assert terminal.is_sane


def test_text_typed_before_the_prompt_is_ignored(terminal: Terminal) -> None:
    terminal.type("271828\n")
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type(f"{CODE}\n")

    assert result(process).status == 0


@pytest.mark.parametrize(
    "typed",
    ["314 159", "  314159 ", "314159\r", "314\u00a0159", "\uff13\uff11\uff14159", "3\x7f314159"],
)
def test_spaces_and_digits_of_another_keyboard_are_accepted(
    terminal: Terminal, sts: StsServer, typed: str
) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type(f"{typed}\n")

    assert result(process).status == 0
    assert sts.calls[0].parameters["TokenCode"] == CODE


def test_mistyped_code_causes_another_prompt(terminal: Terminal, sts: StsServer) -> None:
    process = terminal.start(*ARGV)
    shown = PROMPT
    for typed, message in (
        ("", "not an MFA code: expected six digits"),
        ("27182", "not an MFA code: expected six digits"),
        ("314-159", "not an MFA code: expected six digits"),
        ("271828", "AWS did not accept this code: check it, or wait for the next one"),
        (
            "271828",
            "this code has been used already, and each code works once: wait for the next one",
        ),
    ):
        terminal.wait_for(shown)
        terminal.type(f"{typed}\n")
        shown += f"\r\ncredproc: {message}\r\n{PROMPT}"
    terminal.wait_for(shown)
    terminal.type(f"{CODE}\n")

    assert result(process).document["Version"] == 1
    assert [call.parameters["TokenCode"] for call in sts.calls] == ["271828", CODE]
    assert terminal.read() == f"{shown}\r\n"


def test_end_of_input_ends_the_prompt(terminal: Terminal, sts: StsServer) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type("\x04")
    failed = result(process)

    assert (failed.status, failed.stdout) == (1, b"")
    assert failed.stderr == (
        f"credproc: chain: role 1 of 1, {A}: no MFA code for {DEVICE}: the prompt was closed\n"
    )
    assert sts.calls == []


def test_error_of_sts_is_reported_if_no_better_code_comes(terminal: Terminal) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type("271828\n")
    terminal.wait_for("did not accept")
    terminal.type("\x04")

    assert "invalid MFA one time pass code" in result(process).stderr


def test_terminal_in_raw_mode_hands_over_a_line_and_is_raw_after_it(terminal: Terminal) -> None:
    tty.setraw(terminal.follower)
    raw = termios.tcgetattr(terminal.follower)
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type("3\x7f314159\r")

    assert result(process).status == 0
    assert termios.tcgetattr(terminal.follower) == raw


def test_prompt_is_shown_again_after_a_stop(terminal: Terminal) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    termios.tcsetattr(terminal.follower, termios.TCSANOW, terminal.modes)  # as shells do
    process.send_signal(signal.SIGCONT)
    terminal.wait_for(f"{PROMPT}{PROMPT}")
    terminal.type(f"{CODE}\n")

    assert result(process).status == 0
    assert CODE not in terminal.read()


def test_two_roles_on_one_terminal_prompt_one_after_the_other(
    terminal: Terminal, sts: StsServer
) -> None:
    terminal.host.config(
        "".join(
            f"[profile {name}]\nrole_arn = {role}\nmfa_serial = {DEVICE}\n"
            "credential_source = Environment\n"
            for name, role in (("red", A), ("blue", B))
        )
    )
    both = terminal.start(
        script='"$@" --profile red >red & red=$!; "$@" --profile blue >blue & '
        "wait $red && wait $! && echo ok"
    )
    terminal.wait_for("needs a code too, after this one.\r\nMFA code for ")
    terminal.type(f"{CODE}\n")
    terminal.wait_for("): \r\nMFA code for ")
    terminal.type(f"{CODE}\n")  # a person who does not wait for the device
    terminal.wait_for("this code has been used")
    terminal.type(f"{NEXT}\n")

    assert result(both).stdout == b"ok\n"
    assert [call.parameters["TokenCode"] for call in sts.calls] == [CODE, NEXT]


def test_other_terminals_show_what_they_wait_for(terminal: Terminal) -> None:
    first = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    with Terminal(terminal.host) as other:
        argv = ["--role-arn", B, "--serial-number", DEVICE, "--source", "env"]
        second = other.start(*argv)
        other.wait_for(
            f"credproc: role {B} is waiting for the MFA prompt on another terminal: "
            f"{PROMPT[:-2]} (process "
        )
        assert f"(process {first.pid}, lock taken " in other.read()
        terminal.type(f"{CODE}\n")
        assert result(first).status == 0
        other.wait_for(f"MFA code for {DEVICE} (role {B}): ")
        other.type(f"{NEXT}\n")
        assert result(second).status == 0


def test_waiting_run_that_ends_first_names_the_open_prompt(terminal: Terminal) -> None:
    first = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    with Terminal(terminal.host) as other:
        argv = ["--role-arn", B, "--serial-number", DEVICE, "--source", "env"]
        waiting = result(other.start(*argv, "--timeout", "1"))
    assert waiting.status == 1
    assert (
        f"waiting for another credproc that is prompting: {PROMPT[:-2]} (process {first.pid}, "
        "lock taken "
    ) in waiting.stderr


@pytest.mark.parametrize("role", [A, B])
def test_command_does_not_wait_for_an_open_prompt(
    role: str, terminal: Terminal, sts: StsServer
) -> None:
    prompting = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    argv = ["--role-arn", role, "--serial-number", DEVICE, "--source", "env"]
    terminal.host.document(*argv, "--mfa-command", f"sh -c 'echo {CODE}'")
    terminal.type(f"{CODE}\n")
    terminal.wait_for("this code has been used")
    terminal.type(f"{NEXT}\n")

    assert result(prompting).status == 0
    assert [call.parameters["TokenCode"] for call in sts.calls] == [CODE, NEXT]


def test_typed_code_does_not_wait_for_a_running_command(terminal: Terminal, sts: StsServer) -> None:
    prompting = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    fifo = terminal.host.folder / "fifo"
    os.mkfifo(fifo)
    argv = ["--role-arn", B, "--serial-number", DEVICE, "--source", "env"]
    running = terminal.host.start(*argv, "--mfa-command", f"cat {fifo}")
    with fifo.open("w") as command:  # once it runs
        terminal.type(f"{CODE}\n")
        assert result(prompting).status == 0
        command.write(f"{NEXT}\n")
    assert running.wait().document
    assert [call.parameters["TokenCode"] for call in sts.calls] == [CODE, NEXT]


CONTAINER = 'exec unshare --pid --fork --mount-proc "$@"'


@pytest.mark.parametrize(
    "script", ["", pytest.param(CONTAINER, marks=pytest.mark.needs("namespaces"))]
)
def test_closed_prompt_does_not_end_that_of_another_terminal(
    script: str, terminal: Terminal
) -> None:
    first = terminal.start(*ARGV, script=script)
    terminal.wait_for(PROMPT)
    with Terminal(terminal.host) as other:
        second = other.start(*ARGV, script=script)
        other.wait_for("waiting for the MFA prompt on another terminal")
        terminal.type("\x04")
        assert result(first).status == 1
        other.wait_for(f"\r\n{PROMPT}")
        other.type(f"{CODE}\n")
        assert result(second).status == 0


@pytest.mark.parametrize("role", [A, B])
def test_stopped_prompt_does_not_hold_up_other_runs(
    role: str, terminal: Terminal, sts: StsServer
) -> None:
    argv = ["--role-arn", role, "--serial-number", DEVICE, "--source", "env"]
    with Terminal(terminal.host) as other:
        for each in (terminal, other):  # the second one is stopped, too
            stopped = each.start(*ARGV)
            each.wait_for(PROMPT)
            stopped.send_signal(signal.SIGSTOP)
            os.waitpid(stopped.pid, os.WUNTRACED)
        with Terminal(terminal.host) as third:
            process = third.start(*argv)
            third.wait_for("MFA code for ")
            third.type(f"{CODE}\n")
            assert result(process).status == 0
            assert "another terminal" not in third.read()
    assert [call.parameters["RoleArn"] for call in sts.calls] == [role]


def test_used_code_is_remembered_past_a_stopped_prompt(terminal: Terminal, sts: StsServer) -> None:
    done = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type(f"{CODE}\n")
    assert result(done).status == 0
    stopped = terminal.start(*ARGV, "--refresh")
    terminal.wait_for(f"\r\n{PROMPT}")
    stopped.send_signal(signal.SIGSTOP)
    os.waitpid(stopped.pid, os.WUNTRACED)
    with Terminal(terminal.host) as other:
        process = other.start(*ARGV, "--refresh")
        other.wait_for(PROMPT)
        other.type(f"{CODE}\n")
        other.wait_for("this code has been used")
        other.type(f"{NEXT}\n")
        assert result(process).status == 0
    assert [call.parameters["TokenCode"] for call in sts.calls] == [CODE, NEXT]


@pytest.mark.parametrize(
    ("key", "status"), [("\x03", 130), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_interrupted_prompt_restores_the_terminal(
    terminal: Terminal, sts: StsServer, key: str | signal.Signals, status: int
) -> None:
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    if isinstance(key, str):
        terminal.type(key)
    else:
        process.send_signal(key)
    ended = result(process)

    assert (ended.status, ended.stdout, ended.stderr) == (status, b"", "")
    assert terminal.is_sane
    assert terminal.read().endswith("\r\n")
    assert sts.calls == []


def test_prompt_ends_with_the_deadline(terminal: Terminal) -> None:
    process = terminal.start(*ARGV, "--timeout", "1")
    terminal.wait_for(PROMPT)
    ended = result(process)

    assert (ended.status, ended.stdout) == (1, b"")
    assert ended.stderr.endswith(f": no MFA code for {DEVICE}: none was typed in time\n")
    assert ended.seconds < 4
    assert terminal.read() == f"{PROMPT}\r\n"


def test_error_in_the_background_of_a_terminal_suggests_the_foreground(
    terminal: Terminal,
) -> None:
    process = terminal.start(*ARGV, script='set -m; "$@" & wait $!; echo status $?')
    ended = result(process)

    assert ended.stdout == b"status 1\n"
    assert ended.stderr == f"credproc: chain: role 1 of 1, {A}: {BACKGROUND}\n"
    assert terminal.read() == ""


def test_stderr_of_a_command_appears_on_the_terminal(terminal: Terminal) -> None:
    command = program(terminal.host, f"echo 'touch the key' >&2; echo {CODE}")
    process = terminal.start(*ARGV, "--mfa-command", str(command))

    assert result(process).document["Version"] == 1
    assert terminal.read() == "touch the key\r\n"


def test_command_may_prompt_on_the_terminal_itself(terminal: Terminal) -> None:
    command = program(terminal.host, 'printf "PIN: " >&2; read -r pin </dev/tty; echo "$pin"')
    process = terminal.start(*ARGV, "--mfa-command", str(command))
    terminal.wait_for("PIN: ")
    terminal.type(f"{CODE}\n")

    assert result(process).document["Version"] == 1


SOURCE = "from credproc.mfa import Mfa; print(bool(Mfa('', {}).source()), flush=True)"


def test_terminal_prompts_only_in_the_foreground(terminal: Terminal) -> None:
    ask = f'{sys.executable} -c "{SOURCE}"'
    processes = terminal.start(script=f"set -m; {ask}; {ask} & wait")

    assert result(processes).stdout.split() == [b"True", b"False"]
    without = terminal.host.run("-c", SOURCE, command=sys.executable)
    assert without.stdout == b"False\n"


# Without a person.


def test_without_terminal_and_command_it_fails_at_once(person: Host, sts: StsServer) -> None:
    failed = person.run(*ARGV, stdin=f"{CODE}\n".encode())

    assert (failed.status, failed.stdout) == (1, b"")
    assert failed.stderr == f"credproc: chain: role 1 of 1, {A}: {NOBODY}\n"
    assert failed.seconds < 10
    assert sts.calls == []


def test_run_with_a_command_does_not_share_the_failure_of_one_without(
    person: Host, sts: StsServer
) -> None:
    gate, given = person.folder / "gate", person.folder / "given"
    os.mkfifo(gate)
    helper = person.folder / "helper"
    helper.write_text(f"#!/bin/sh\nif [ -e {given} ]; then cat {given}; else cat {gate}; fi\n")
    helper.chmod(0o700)
    person.config(f"[profile p]\ncredential_process = {helper}\n")
    keys = {
        "AccessKeyId": person.environ["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": person.environ["AWS_SECRET_ACCESS_KEY"],
    }
    document = json.dumps({"Version": 1, **keys})
    argv = [*ARGV[:-1], "profile:p"]
    waiting = Waiting(person)

    without = person.start(*argv)
    with gate.open("w") as opened:  # returns when the helper has opened its end
        with_command = person.start(*argv, "--mfa-command", f"sh -c 'echo {CODE}'")
        waiting.come(1)
        given.write_text(document)
        opened.write(document)

    assert with_command.wait().document["Version"] == 1
    assert NOBODY in without.wait().stderr
    assert [call.parameters["TokenCode"] for call in sts.calls] == [CODE]


def test_there_is_no_prompt_in_the_background(terminal: Terminal, sts: StsServer) -> None:
    host = terminal.host
    process = terminal.start(*ARGV)
    terminal.wait_for(PROMPT)
    terminal.type(f"{CODE}\n")
    first = result(process).document
    entries = cachedir.entries(host.cache)
    assert {entry.ahead == entry.now for entry in entries} == {True}

    cachedir.leave(host.cache, 1500)  # others are refreshed ahead here
    assert host.document(*ARGV)["AccessKeyId"] == first["AccessKeyId"]
    assert host.strays() == []
    cachedir.leave(host.cache, 300)  # and before printing here
    late = host.document(*ARGV)
    assert late["AccessKeyId"] == first["AccessKeyId"]
    assert host.strays() == []
    assert len(sts.calls) == 1


def test_command_is_run_in_the_background(person: Host, sts: StsServer) -> None:
    argv = [*ARGV, "--mfa-command", str(device(person))]
    first = person.document(*argv)
    cachedir.leave(person.cache, 1500)

    assert person.document(*argv)["AccessKeyId"] == first["AccessKeyId"]
    person.settle()
    assert len(sts.calls) == 2
    assert person.document(*argv)["AccessKeyId"] != first["AccessKeyId"]
    assert {entry.judge(entry.issued) for entry in cachedir.entries(person.cache)} == {cache.FRESH}


def test_command_that_writes_to_the_terminal_is_not_run_in_the_background(
    terminal: Terminal, sts: StsServer
) -> None:
    command = program(terminal.host, f"echo 'touch the key' >&2; echo {CODE}")
    argv = [*ARGV, "--mfa-command", str(command)]
    result(terminal.start(*argv))
    cachedir.leave(terminal.host.cache, 1500)

    assert terminal.host.document(*argv)["Version"] == 1
    assert terminal.host.strays() == []
    assert len(sts.calls) == 1


def test_roles_after_a_typed_code_are_not_refreshed_in_the_background(
    terminal: Terminal, sts: StsServer
) -> None:
    argv = [*ARGV, "--role-arn", B]
    process = terminal.start(*argv)
    terminal.wait_for(PROMPT)
    terminal.type(f"{CODE}\n")
    assert json.loads(result(process).stdout)["Version"] == 1
    cachedir.leave(terminal.host.cache, 1500)
    terminal.host.document(*argv)

    assert terminal.host.strays() == []
    assert len(sts.calls) == 2
