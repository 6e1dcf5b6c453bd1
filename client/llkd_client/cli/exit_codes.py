"""What the command line's exit codes mean; README.md has the same table."""

from llkd_client.errors import BadAddress, BadName, ConnectionFailed, LlkdError

# The service refused, a job failed, or something that was asked for could not be done.
FAILED = 1
USAGE = 2
# sysexits.h calls it EX_UNAVAILABLE: no service answers at the URL.
UNREACHABLE = 69
INTERRUPTED = 130
# As of a program that SIGPIPE ends: whoever read what we print has gone.
BROKEN_PIPE = 141


def exit_code(error: LlkdError) -> int:
    match error:
        case ConnectionFailed():
            return UNREACHABLE
        case BadAddress() | BadName():
            return USAGE
        case _:
            return FAILED
