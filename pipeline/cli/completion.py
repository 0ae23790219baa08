"""`completion`: a script for the shell that completes commands, actions and options."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.options import CODES
from pipeline.cli.parser import describe, following

# COMP_WORDS are the words so far. zsh runs the same function, by its own bashcompinit.
_SCRIPT = """\
_image_pipeline() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" path="" words=""
    local at
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$path ${{COMP_WORDS[at]}}" in
            {paths}) path="$path ${{COMP_WORDS[at]}}" ;;
        esac
    done
    case "$path" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    if [[ "${{COMP_WORDS[COMP_CWORD-1]}}" == --from || "${{COMP_WORDS[COMP_CWORD-1]}}" == --to ]]; then
        COMPREPLY=($(compgen -W "{stages}" -- "$word"))
    fi
}}
complete -o default -F _image_pipeline image-pipeline
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    examples = (("bash", 'eval "$(image-pipeline completion bash)" in ~/.bashrc'), ("zsh", "the same in ~/.zshrc"))
    describe(parser, "Print a script that completes commands and options in a shell.", examples, CODES)
    parser.add_argument("shell", metavar="SHELL", choices=("bash", "zsh"), help="bash or zsh")


def command(_: Any, args: argparse.Namespace) -> int:
    """Print the script."""
    if args.shell == "zsh":
        print("autoload -U +X compinit && compinit && autoload -U +X bashcompinit && bashcompinit")
    print(script(), end="")
    return 0


def script() -> str:
    """Return the script for bash, made from the parsers of all commands."""
    from pipeline import ALL_STAGES
    from pipeline.cli import parser

    words = following(parser())
    paths = [f'" {" ".join(path)}"' for path in words if path]
    cases = []
    for path, names in words.items():
        typed = "".join(f" {name}" for name in path)
        cases.append(f'        "{typed}") words="{" ".join(names)}" ;;')
    return _SCRIPT.format(paths=" | ".join(paths), cases="\n".join(cases), stages=" ".join(ALL_STAGES))
