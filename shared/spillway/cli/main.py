"""`spillway`: the commands, and how their errors end."""

import sys

import typer

from spillway.cli.demo import demo
from spillway.cli.keys import app as keys
from spillway.cli.loadtest import loadtest
from spillway.cli.policy import app as policy
from spillway.cli.redemptions import app as redemptions
from spillway.cli.serve import serve
from spillway.cli.simulate import simulate
from spillway.errors import SpillwayError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A front door to a decentralised AI compute network, with hosted inference as its overflow.",
)
app.command()(serve)
app.command()(demo)
app.add_typer(policy, name="policy")
app.add_typer(keys, name="keys")
app.add_typer(redemptions, name="redemptions")
app.command()(simulate)
app.command()(loadtest)


def main() -> None:
    """The console script: a known error is one line and status 2."""
    try:
        app()
    except SpillwayError as error:
        sys.stderr.write(f"spillway: {error}\n")
        sys.exit(2)
