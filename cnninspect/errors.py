"""The few kinds of error a user can cause, each with its exit code.

Every message is one sentence that names the cause, followed by the next step. The command line prints it
after `cnninspect: ` and exits with `exit_code`; the Python API raises it.
"""


class CnninspectError(Exception):
    """A failure with a message for the user; `exit_code` is what the command line returns."""

    exit_code = 3


class UsageError(CnninspectError):
    """An argument, option or configuration value that cannot be understood."""

    exit_code = 2


class LoadError(CnninspectError):
    """The target exists but the model could not be loaded or constructed."""


class MissingPackage(LoadError):
    """The target comes from an optional package that is not installed."""


class DeviceError(LoadError):
    """The model exists but cannot be put on the device that was asked for."""


class RunError(CnninspectError):
    """The model was built but its forward pass failed."""


class OutputError(CnninspectError):
    """The result could not be written where the user asked for it."""

    exit_code = 2
