"""`thresholds`: when a label is refused, what other thresholds would do, and putting them into force."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.show import Json, print_json, print_table, terminal


def add_refusing(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(thresholds)


def thresholds(
    route: Annotated[str | None, typer.Option(help="Route whose bundle; default: the installation's own.")] = None,
    budget: Annotated[
        float | None, typer.Option(help="Share of known windows that may be called novel: sets the novelty thresholds.")
    ] = None,
    novelty: Annotated[float | None, typer.Option(help="Novelty from which on a window is novel.")] = None,
    confidence: Annotated[float | None, typer.Option(help="Least probability of a label.")] = None,
    apply: Annotated[
        str | None, typer.Option(metavar="REASON", help="Put them into force, with this reason in the journal.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show when labels are refused and what other thresholds would do; with --apply put them into force.

    No training: the bundle gets other thresholds and another digest, running services take it within seconds, and the
    journal keeps who did it, why, and what held before. Rates are of held-out known windows the bundle remembers.

    Example: waferwatch thresholds --budget 0.01 --apply "too many unknowns on nights"
    """
    import getpass

    from models.bundle import load_bundle
    from models.domain.errors import InputError
    from models.effect import BUDGETS, effect_of, thresholds_for
    from pipelines.evaluation.table import percent
    from services.parts.shared import lay_foundation
    from services.routing.thresholds import ThresholdOrder, change
    from services.serving.bundle_store import BundleStore
    from services.settings import Settings

    settings = Settings.load()
    route = route or settings.route
    order = ThresholdOrder(budget, novelty, confidence)
    asked = order != ThresholdOrder()
    if apply is not None and not asked:
        raise InputError("nothing to put into force", expected="--budget, --novelty or --confidence")

    def held() -> tuple[Path, str]:
        found = BundleStore(settings.bundle_dir).resolve(route)
        return found.folder, found.manifest.ref.digest

    folder, digest = held()
    if apply is not None:
        foundation = lay_foundation(settings)
        actor = f"{getpass.getuser()} (command line)"
        change(settings, foundation.database, order, route=route, actor=actor, reason=apply, after=digest)
        folder, digest = held()
        terminal.print(f"in force on route {route}: bundle {digest[:12]}")
    bundle = load_bundle(folder)
    choices = [("in force", bundle.manifest.thresholds)]
    if asked and apply is None:
        choices.append(("asked for", order.thresholds(bundle)))
    calibration, yardstick = bundle.reference.calibration, bundle.reference.yardstick
    choices += [(f"budget {100 * one:g} %", thresholds_for(one, bundle.manifest, yardstick)) for one in BUDGETS]
    names = bundle.manifest.labels.names
    seen = [(name, one, effect_of(one, calibration, names)) for name, one in choices]
    if as_json:
        print_json([{"name": name, "thresholds": one, "effect": effect} for name, one, effect in seen])
        return
    rows = [(name, one.novelty, one.confidence, *map(percent, (e.novel, e.refused, e.error))) for name, one, e in seen]
    columns = ("", "novelty up to", "confidence from", "called novel", "refused in all", "wrong among the labelled")
    print_table(f"route {route}, bundle {digest[:12]}, {len(calibration.novelty):,} known windows", columns, rows)
