"""The completion scripts of both commands, which shtab makes: ``python -m tests.generated``."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

import shtab

from credproc import helptext, limits, options
from credproc.ctl import arguments, completion
from credproc.ctl.__main__ import parser
from tests import artefacts

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

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

#: Options of credproc that may be given once; all others begin, or belong to, a provider.
ONCE = (
    "--source",
    "--mfa-command",
    "--mfa-session",
    "--format",
    "--field",
    "--cache-dir",
    "--timeout",
)
#: Values of credproc's options, as a list or as a kind of thing.
VALUES = {
    "--format": limits.FORMATS,
    "--field": limits.FIELDS,
    "--source": ("env", "imds", "container", "web-identity", "profile:", "imds:"),
}
KINDS = {"--profile": arguments.PROFILE, "--cache-dir": arguments.FOLDER}


def path(shell: str, command: str) -> Path:
    """Return where a script is in the source tree."""
    return artefacts.source() / "credproc" / completion.place(shell, command)


def script(shell: str, command: str) -> str:
    """Return the script that completes a command in a shell."""
    os.environ["COLUMNS"] = "1000"  # the width of this terminal must not fold its texts
    made: str = shtab.complete(
        _credproc() if command == "credproc" else _shortened(parser()),
        shell,
        preamble=PREAMBLES[shell],
        choice_functions={arguments.PROFILE: PROFILES[shell]},
    )
    return made if made.endswith("\n") else f"{made}\n"


def _shortened(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return a parser whose descriptions are one sentence each, which fits into a menu."""
    made.description = " ".join((made.description or "").split()).partition(". ")[0].rstrip(".")
    for action in made._actions:  # argparse has no public list
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _shortened(each)
    return made


def _credproc() -> argparse.ArgumentParser:
    """Return credproc's options in argparse's own actions, which are what shtab understands."""
    made = argparse.ArgumentParser("credproc", description=helptext.DESCRIPTION, add_help=False)
    for option in options.parser()._actions:  # argparse has no public list
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
