"""Verbs about routes: which bundle judges what, who changed it, and what challengers would have said."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.show import Json, print_json, print_table, terminal

if TYPE_CHECKING:
    from services.routing.routing import Rule
    from services.routing.trials import Stint

RoutingFile = Annotated[Path, typer.Argument(help="Routing, such as deploy/routing.yaml.")]


def add_routing(app: typer.Typer) -> None:
    """Register the verbs."""
    route = typer.Typer(no_args_is_help=True, help="Which bundle judges what: rules, canaries, shadows.")
    for verb in (show, check, apply, explain, history, counts, shadow, schema):
        route.command()(verb)
    app.add_typer(route, name="route")


def show(as_json: Json = False) -> None:
    """Print the routing in force, and the bundle each of its routes means now.

    Where nobody applied a routing, everything goes along the installation's own route (WAFERWATCH_BUNDLE).
    """
    from models.domain.errors import ConfigurationError, RetryableError
    from services.parts.shared import lay_foundation
    from services.routing.history import in_force, plain_routing
    from services.serving.bundle_store import BundleStore
    from services.settings import Settings

    settings = Settings.load()
    with lay_foundation(settings).database.read() as session:
        change = in_force(session)
    routing = change.routing if change is not None else plain_routing(settings)
    store = BundleStore(settings.bundle_dir)
    bundles: dict[str, Stint | None] = {}
    for name in routing.routes:
        try:
            bundles[name] = store.stint(name)
        except (ConfigurationError, RetryableError):
            bundles[name] = None
    if as_json:
        print_json({"change": change, "routing": routing, "bundles": bundles})
        return
    print_table("rules, the first that fits decides", ("rule", "when", "route", "canary", "shadow"),
                [_rule(rule) for rule in routing.rules])  # fmt: skip
    rows = [(name, one and one.version, one and one.digest[:12]) for name, one in bundles.items()]
    print_table("routes", ("route", "version", "bundle"), rows)
    if change is not None:
        terminal.print(f"number {change.number}, by {change.actor}: {change.note}", markup=False)


def check(file: RoutingFile) -> None:
    """Say whether a routing could be applied; changes nothing.

    Run it where the file is reviewed, before it is merged.
    """
    from services.routing.routing import Routing

    routing = Routing.load(file)
    terminal.print(f"{file}: {len(routing.rules)} rules, {len(routing.routes)} routes; nothing is wrong", markup=False)


def apply(
    file: RoutingFile,
    note: Annotated[str, typer.Option("--note", "-m", help="Why; kept in the history.")],
    actor: Annotated[str | None, typer.Option(help="Who says so; by default the user of this shell.")] = None,
) -> None:
    """Put a routing into force: inspectors use it from their next file on.

    Routes that name an alias or a folder are fetched and verified by the housekeeper; until then captures of a canary
    without a bundle are judged by the rule's own route.

    Example: waferwatch route apply deploy/routing.yaml -m 'try version 8 on 5 % of the wafers'
    """
    from services.parts.shared import lay_foundation
    from services.routing.history import apply as put_into_force
    from services.routing.routing import Routing
    from services.settings import Settings

    routing = Routing.load(file)
    with lay_foundation(Settings.load()).database.write() as session:
        number = put_into_force(session, routing, actor=actor or getpass.getuser(), note=note)
    terminal.print(f"routing {number} is in force")


def explain(
    file: RoutingFile,
    captures: Annotated[list[str], typer.Argument(help="Files whose captures to send through it.")],
    as_json: Json = False,
) -> None:
    """Say which way the captures of some files would go through a routing; changes nothing.

    Example: waferwatch route explain deploy/routing.yaml lot7/*.001
    """
    from pipelines.ingestion import open_captures
    from services.routing.lane import lane_of
    from services.routing.routing import Routing

    routing = Routing.load(file)
    found = [reader.capture for name in captures for reader in open_captures(name)]
    lanes = [(capture, lane_of(routing, capture)) for capture in found]
    if as_json:
        print_json([{"capture": capture.name, "id": capture.id, "lane": lane} for capture, lane in lanes])
        return
    rows = [
        (one.name, one.provenance.product, one.provenance.step, one.provenance.tool, lane.rule, lane.route,
         "canary" if lane.is_canary else None, lane.shadow)
        for one, lane in lanes
    ]  # fmt: skip
    print_table("lanes", ("capture", "product", "step", "tool", "rule", "route", "on trial", "shadow"), rows)


def history(limit: Annotated[int, typer.Option(help="How many.")] = 20, as_json: Json = False) -> None:
    """List who changed the routing, when and why, the newest first.

    'waferwatch' as actor means that the service took a bundle back by itself.
    """
    from services.parts.shared import lay_foundation
    from services.routing.history import history as changes
    from services.settings import Settings

    with lay_foundation(Settings.load()).database.read() as session:
        found = changes(session, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [(one.number, one.at.isoformat(timespec="seconds"), one.actor, one.note) for one in found]
    print_table("routings", ("number", "at", "by", "why"), rows)


def counts(hours: Annotated[float, typer.Option(help="Look back this far.")] = 24, as_json: Json = False) -> None:
    """Compare what bundles made of the captures they were sent: a canary beside its champion.

    'unknown' counts every capture that was refused a label, 'novel' those that resemble nothing known, 'failed' those
    that the bundle could not judge.
    """
    from datetime import timedelta

    from services.parts.shared import lay_foundation
    from services.records.session import now
    from services.records.shadows import route_counts
    from services.settings import Settings

    with lay_foundation(Settings.load()).database.read() as session:
        found = route_counts(session, since=now(session) - timedelta(hours=hours))
    if as_json:
        print_json(found)
        return
    rows = [
        (one.rule, one.route, one.bundle.version, one.captures, one.novel, one.unknown, one.failed) for one in found
    ]
    print_table("captures by rule", ("rule", "route", "version", "captures", "novel", "unknown", "failed"), rows)


def shadow(hours: Annotated[float, typer.Option(help="Look back this far.")] = 24, as_json: Json = False) -> None:
    """Compare challengers with what was stated: how often they agreed, and where they did not.

    Challengers look at captures when no job waits; 'skipped' ones were too many.
    """
    from datetime import timedelta

    from services.parts.shared import lay_foundation
    from services.records.session import now
    from services.records.shadows import shadow_counts
    from services.settings import Settings

    with lay_foundation(Settings.load()).database.read() as session:
        found = shadow_counts(session, since=now(session) - timedelta(hours=hours))
    if as_json:
        print_json([{"route": one.route, "champion": one.champion, "outcomes": one.outcomes,
                     "disagreement": one.disagreement,
                     "words": [{"champion": a, "challenger": b, "captures": n} for (a, b), n in one.words.items()]}
                    for one in found])  # fmt: skip
        return
    for one in found:
        told = ", ".join(f"{number} {outcome.value}" for outcome, number in one.outcomes.items())
        rows = [(a, b, n) for (a, b), n in sorted(one.words.items(), key=lambda item: -item[1]) if a != b]
        title = f"{one.route} against {one.champion.name} version {one.champion.version}: {told}"
        print_table(title, ("champion says", "challenger says", "captures"), rows)


def schema() -> None:
    """Print the JSON Schema of a routing, for editors and reviews."""
    from services.routing.routing import Routing

    print_json(Routing.model_json_schema())


def _rule(rule: "Rule") -> tuple[str | None, ...]:
    given = rule.when.model_dump(exclude_none=True, mode="json")
    when = "; ".join(f"{key} {' | '.join(value) if isinstance(value, list) else value}" for key, value in given.items())
    canary = rule.canary
    trial = None
    if canary is not None:
        parts = [f"{canary.share:.1%}" if canary.share is not None else "", " | ".join(canary.tools or ())]
        trial = f"{canary.route}: {' and '.join(part for part in parts if part)}"
    watched = None if rule.shadow is None else f"{rule.shadow.route}: {rule.shadow.share:.0%}"
    return rule.name, when or "all", rule.route, trial, watched
