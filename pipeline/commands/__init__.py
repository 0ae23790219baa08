"""The commands, a module a group. A module has `add(commands)`, which declares its commands to argparse.

What a command does lives elsewhere in `pipeline`, and is imported when the command is called: `--help` answers at once.
"""

from pipeline.commands import questions, running, upkeep, vertex

GROUPS = (running, questions, upkeep, vertex)  # in the order of `--help`; a new group is added here
