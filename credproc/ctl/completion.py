"""credprocctl completion: what makes a shell complete both commands, written by shtab."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from credproc import limits, manual, options
from credproc.ctl import arguments
from credproc.ctl.output import Result
from credproc.ctl.steps import Failed

if TYPE_CHECKING:
    from typing import Any

    from credproc.ctl.output import Console

SHELLS = ("bash", "zsh", "fish")
COMMANDS = ("credproc", "credprocctl")

# The names of the profiles, straight from the file: a shell that waits for Python is noticed. Their
# quotes are taken off as botocore does it; all three shells read these words alike.
_SED = r"""sed '
    s/^\[default\]/[profile default]/
    /^\[profile ..*\]/!d
    s/^\[profile  *\(.*\)\].*/\1/
    /^"/{
      s/^"\(.*\)"$/\1/
      s/[\]\(["\]\)/\1/g
      b
    }
    s/^Q\(.*\)Q$/\1/
    s/Q"Q"Q/Q/g
  '""".replace("Q", r"'\''")
#: How each shell finds the profiles: what shtab puts where a value is completed, and before it.
PROFILES = {
    "bash": "_credproc_profiles",
    "zsh": "_credproc_profiles",
    "fish": "(_credproc_profiles)",
}
PREAMBLES = {
    # Never by `compgen -W`, which expands what it is given: a name is no command.
    "bash": f"""\
_credproc_profiles() {{
  local name word
  while IFS= read -r name; do
    case $1 in
      # An open quote stays as it is typed; what it cannot hold is not offered.
      \\'*) [[ $name != *\\'* && \\'$name == "$1"* ]] && printf '%s\\n' "$name" ;;
      \\"*) [[ $name != *[\\"\\$\\`\\\\!]* && \\"$name == "$1"* ]] && printf '%s\\n' "$name" ;;
      *)
        printf -v word %q "$name"
        [[ $name == "$1"* || $word == "$1"* ]] && printf '%s\\n' "$word"
        ;;
    esac
  done < <({_SED} "${{AWS_CONFIG_FILE:-$HOME/.aws/config}}" 2>/dev/null)
}}""",
    "zsh": f"""\
_credproc_profiles() {{
  local -a names
  names=(${{(f)"$({_SED} ${{AWS_CONFIG_FILE:-$HOME/.aws/config}} 2>/dev/null)"}})
  compadd -a names
}}""",
    "fish": f"""\
function _credproc_profiles
  set -l file $AWS_CONFIG_FILE
  test -n "$file"; or set file ~/.aws/config
  {_SED} $file 2>/dev/null
end""",
}

EPILOG = """\
to try it in a shell that runs:
  bash  eval "$(credprocctl completion bash)"
  zsh   eval "$(credprocctl completion zsh)"
  fish  credprocctl completion fish | source

to keep it, where COMMAND is credproc, and then credprocctl:
  bash  credprocctl completion bash --only COMMAND \\
          > ~/.local/share/bash-completion/completions/COMMAND
  zsh   credprocctl completion zsh --only COMMAND > FOLDER/_COMMAND
        (a folder that ~/.zshrc puts into fpath before it calls compinit)
  fish  credprocctl completion fish --only COMMAND \\
          > ~/.config/fish/completions/COMMAND.fish

to get shtab, where it is missing:
  pip   PYTHON -m pip install shtab
        (PYTHON is the one beside credproc, like /opt/credproc/bin/python)
  pipx  pipx inject credproc shtab
  uv    uv tool install --with shtab .
        (as credproc was installed, in its folder)
"""

#: Options of credproc that may stand there once; all others begin, or belong to, a provider.
ONCE = ("--source", "--mfa-command", "--format", "--field", "--cache-dir", "--timeout")
#: Values of credproc's options, as a list or as a kind of thing.
VALUES = {
    "--format": limits.FORMATS,
    "--field": limits.FIELDS,
    "--source": ("env", "imds", "container", "web-identity", "profile:", "imds:"),
}
KINDS = {"--profile": arguments.PROFILE, "--cache-dir": arguments.FOLDER}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    made = arguments.command(
        commands, "completion", completion, "print what makes a shell complete both commands",
        "Needs shtab, in the environment that credproc is in.",
    )  # fmt: skip
    made.epilog = EPILOG
    made.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    made.add_argument("--only", choices=COMMANDS, help="one of the two commands alone")


def completion(given: argparse.Namespace, _: Console) -> Result:
    """Print the script for the shell."""
    try:
        import shtab
    except ImportError:
        # By its own interpreter: `pip install credproc[completion]` might fetch somebody else's.
        pip = shlex.join([sys.executable, "-m", "pip", "install", "shtab"])
        raise Failed(
            f"completion needs shtab, which is not installed: {pip} (with pipx or uv: see "
            "credprocctl completion --help)"
        ) from None
    from credproc.ctl.__main__ import parser

    parsers = {"credproc": _credproc(), "credprocctl": parser()}
    shell: str = given.shell
    # Its terminal's width must not fold what the shell shows.
    os.environ["COLUMNS"] = "1000"
    scripts = [
        shtab.complete(
            each,
            shell,
            preamble=PREAMBLES[shell],
            choice_functions={arguments.PROFILE: PROFILES[shell]},
        )
        for name, each in parsers.items()
        if given.only in (None, name)
    ]
    script = "\n".join(scripts)
    return Result(script, {"shell": shell, "script": script})


def _credproc() -> argparse.ArgumentParser:
    """Return credproc's options in argparse's own actions, which are what shtab understands."""
    made = argparse.ArgumentParser("credproc", description=manual.DESCRIPTION, add_help=False)
    for option in options.parser()._actions:  # noqa: SLF001  # argparse has no public list
        names = option.option_strings
        name = names[-1]
        if option.nargs == 0:
            made.add_argument(*names, action="store_true", help=option.help)
            continue
        action: Any = made.add_argument(
            *names,
            action="store" if name in ONCE else "append",
            nargs=option.nargs,
            metavar=option.metavar,
            help=option.help,
            choices=VALUES.get(name),
        )
        if name in KINDS:
            action.complete = KINDS[name]
    return made
