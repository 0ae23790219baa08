"""The two ways in which a run ends that are not a fault of the program."""


class UserError(Exception):
    """A mistake in the input or the configuration. The message names the input, what is wrong and what to do."""


class GateRefused(Exception):
    """The data cannot be trusted and the run stops. The message says why, one finding a line, with examples."""
