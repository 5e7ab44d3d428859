"""credprocctl completion: print the scripts that make a shell complete both commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from credproc.ctl import arguments
from credproc.ctl.output import Result

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from credproc.ctl.output import Console

COMMANDS = ("credproc", "credprocctl")
#: For each shell, the name under which it looks for the script of a command.
SHELLS = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}

EXAMPLES = """\
examples, one line for each shell:
  bash  to ~/.bashrc:                   eval "$(credprocctl completion bash)"
  zsh   to ~/.zshrc, after compinit:    eval "$(credprocctl completion zsh)"
  fish  to ~/.config/fish/config.fish:  credprocctl completion fish | source

The same scripts are installed under share/, where the shells find them if that
is /usr/share or /usr/local/share.
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands, "completion", completion, "print the script that makes a shell complete both "
        "commands", "To load it in every new shell, add one line to the shell's start-up file: for "
        "bash, `eval \"$(credprocctl completion bash)\"` in ~/.bashrc; for zsh and fish, see the "
        "examples of --help.",
        example=EXAMPLES,
    )  # fmt: skip
    made.add_argument("shell", metavar="SHELL", choices=tuple(SHELLS), help="bash, zsh or fish")
    made.add_argument("--only", choices=COMMANDS, help="one of the two commands alone")


def place(shell: str, command: str) -> Path:
    """Return the path of a script, relative to the package."""
    return Path("completion") / shell / SHELLS[shell].format(command)


def completion(given: argparse.Namespace, _: Console) -> Result:
    """Print the script for the shell."""
    shell: str = given.shell
    package = Path(__file__).parents[1]
    commands = [name for name in COMMANDS if given.only in (None, name)]
    script = "\n".join((package / place(shell, name)).read_text("utf-8") for name in commands)
    return Result(script, {"shell": shell, "script": script})
