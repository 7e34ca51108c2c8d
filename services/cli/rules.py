"""`waferwatch rules`: the file that says what is an alert: show it, check it, try it on recorded history."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.cli.show import Json, print_json, print_table, progress_bar, terminal
from services.settings import Settings

File = Annotated[Path | None, typer.Argument(help="A file of rules; without one, the rules in force.")]


def add_rules(app: typer.Typer) -> None:
    """Register the verbs."""
    rules = typer.Typer(
        no_args_is_help=True,
        help="What is an alert: a reviewed YAML file, named by WAFERWATCH_RULES.\n\n"
        "First steps: 'waferwatch rules show' prints the rules in force, with a reason beside each number where they "
        "are the shipped ones; save them, change them, 'check' them, 'test' them, then name the file.",
    )
    for verb in (show, check):
        rules.command()(verb)
    rules.command("test")(tried)
    app.add_typer(rules, name="rules")


def show() -> None:
    """Print the file of rules in force, as it stands."""
    from services.alerting.rule_file import SHIPPED

    typer.echo((Settings.load().rules or SHIPPED).read_text(encoding="utf-8"), nl=False)


def check(file: File = None, as_json: Json = False) -> None:
    """Say whether a file of rules is well-formed and tells only channels that are set up.

    Exit status 2 and one line on stderr if not.
    """
    from services.alerting.rule_file import rules_at
    from services.parts.shared import alert_policy

    settings = Settings.load() if file is None else Settings.load(rules=file)
    alert_policy(settings)
    found = rules_at(settings.rules)
    if as_json:
        print_json([rule.model_dump(mode="json", by_alias=True) for rule in found.rules])
        return
    rows = [(rule.name, rule.kind, rule.severity.value, rule.action) for rule in found.rules]
    print_table(f"{len(rows)} rules", ("rule", "kind", "severity", "the operator's action"), rows)


def tried(
    file: File = None,
    days: Annotated[float, typer.Option(min=0.01, max=366, help="How far back.")] = 7.0,
    as_json: Json = False,
) -> None:
    """Replay recorded history and say what would have fired.

    Findings are the captures, files or periods that show a trouble; 'told' are the messages each channel would have
    got, had nobody acknowledged. Nothing is written and nobody is told.

    Example: waferwatch rules test my-rules.yaml --days 30
    """
    from services.alerting.replay import replay
    from services.alerting.rule_file import rules_at
    from services.parts.shared import lay_foundation
    from services.records.session import now

    settings = Settings.load() if file is None else Settings.load(rules=file)
    rules = rules_at(settings.rules)
    foundation = lay_foundation(settings)
    with progress_bar("replaying") as progress, foundation.database.read() as session:
        until = now(session)
        fired = replay(session, rules, until - timedelta(days=days), until, progress)
    if as_json:
        print_json(fired)
        return
    rows = [(one.rule, one.severity.value, one.title, one.findings, one.told, f"{one.first:%Y-%m-%d %H:%M}",
             f"{one.last:%Y-%m-%d %H:%M}") for one in fired]  # fmt: skip
    columns = ("rule", "severity", "alert", "findings", "told", "first (UTC)", "last (UTC)")
    print_table(f"the last {days:g} days: {len(fired)} alerts", columns, rows)
    per_shift = sum(one.told for one in fired) / (days * 3)
    budget = rules.budget.operators * rules.budget.per_10_min * 48
    terminal.print(f"{per_shift:.1f} messages in a shift of eight hours; people can answer about {budget:.0f}")
