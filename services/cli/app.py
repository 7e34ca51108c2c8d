"""`waferwatch VERB …`: gathers the verbs and turns errors into one line and an exit status."""

import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from models.domain.errors import WaferwatchError
from services.cli.admit import add_admission
from services.cli.archive import add_archives
from services.cli.audit import add_audit
from services.cli.benchmark import add_benchmarks
from services.cli.demonstrate import add_demonstrations
from services.cli.jobs import add_jobs
from services.cli.keep import add_keeping
from services.cli.learn import add_learning
from services.cli.look import add_looking
from services.cli.operate import add_operations
from services.cli.refusing import add_refusing
from services.cli.route import add_routing
from services.cli.rules import add_rules

app = typer.Typer(
    name="waferwatch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Wafer defect maps and aerial images in, verdicts, alerts and unknowns out.\n\n"
    "First steps: 'waferwatch demo' shows the whole service on simulated wafers; 'waferwatch read FILE' says what a "
    "file holds; 'waferwatch inspect FILE --bundle DIR' judges it without any service.\n\n"
    "Exit status: 0 done, 1 something unexpected, 2 the input or a setting is wrong (one line on stderr says what).",
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    os.environ["WAFERWATCH_DEBUG"] = "1" if debug else ""


for add in (
    add_demonstrations,
    add_looking,
    add_learning,
    add_benchmarks,
    add_routing,
    add_rules,
    add_operations,
    add_jobs,
    add_archives,
    add_keeping,
    add_admission,
    add_audit,
    add_refusing,
):
    add(app)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = app(arguments, standalone_mode=False)
    except WaferwatchError as error:
        if "--debug" in arguments:
            raise
        _say(str(error))
        sys.exit(2)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "waferwatch"
        _say(f"{error.format_message()} See '{path} --help'.")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        _say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left (`| head`): not our error, but Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if "--debug" in arguments:
            raise
        _say(f"unexpected {type(error).__name__}: {' '.join(str(error).split())}; run again with --debug for details")
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _say(message: str) -> None:
    typer.echo(f"waferwatch: {message}", err=True)
