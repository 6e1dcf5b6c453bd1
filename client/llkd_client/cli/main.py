"""The commands of `llkd`, and what becomes of their errors."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from llkd_client.cli import datasets, doctor, jobs, models, predict, up
from llkd_client.cli.exit_codes import BROKEN_PIPE, FAILED, INTERRUPTED, USAGE, exit_code
from llkd_client.cli.output import say
from llkd_client.errors import LlkdError


class Commands(TyperGroup):
    """Whatever is expected to go wrong ends in one line and an exit code, never in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            came = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would try to write the rest as it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except KeyboardInterrupt:
            say("\nllkd: interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except LlkdError as error:
            say(f"llkd: {error}")
            raise typer.Exit(exit_code(error)) from None
        except UnicodeEncodeError:
            # A shell may pass any bytes.
            say("llkd: an argument is no UTF-8 text")
            raise typer.Exit(USAGE) from None
        except OSError as error:
            say(f"llkd: {error.filename or 'a file'}: {error.strerror or error}")
            raise typer.Exit(FAILED) from None
        return came


app = typer.Typer(
    name="llkd",
    cls=Commands,
    no_args_is_help=True,
    # Its tracebacks show the values of variables, and texts and keys are among them.
    pretty_exceptions_enable=False,
    help="Turn unlabeled texts and a language model into a small classifier of your own.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 69 no service answers, "
    "130 interrupted, 141 whoever read the output has gone.",
)


@app.callback()
def _globally(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="LLKD_URL",
            help="Where the service is: http://127.0.0.1:8000. A key goes into LLKD_API_KEY.",
        ),
    ] = None,
) -> None:
    context.obj = url


app.command()(up.up)
app.add_typer(datasets.app, name="datasets")
app.command()(jobs.distill)
app.command()(jobs.estimate)
app.command("jobs")(jobs.list_jobs)
app.command()(jobs.watch)
app.command()(jobs.cancel)
app.command()(jobs.retry)
app.command()(jobs.audit)
app.command("models")(models.list_models)
app.command()(models.export)
app.command()(predict.predict)
app.command()(doctor.doctor)
