"""Runs the demo: prepare a model, start every part, feed, wait for the verdicts, print truth beside them."""

import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import httpx

from models.domain.errors import RetryableError
from services.cli.show import print_table, terminal
from services.demo.feed import QUARANTINED, UNKNOWN, Expected, Found, feed
from services.demo.prepare import prepare
from services.settings import Settings
from services.supervisor import Supervisor
from services.up import environment_of, parts, prepare_home

PATIENCE_S = 180.0
LEAST_RIGHT = {"known": 0.85, UNKNOWN: 0.6, QUARANTINED: 1.0}
"""A model is no oracle: on other simulated lots it names 95 % of the known wafers right and refuses 75 % of the unknown
patterns. The demo counts as passed from these shares on."""


def run_demo(folder: Path, port: int, *, leave: bool) -> bool:
    """Run the demo.

    Args:
        folder: where it keeps everything.
        port: of the dashboard.
        leave: end once all verdicts are in, instead of staying up until Ctrl-C.

    Returns:
        Whether the verdicts are right: every broken file in quarantine, the file that came twice inspected once, and
        of the known wafers and the unknown patterns at least the shares of `LEAST_RIGHT`.
    """
    started = time.monotonic()
    settings = Settings.load(home=folder / "service", port=port, watch_every_s=0.5)
    prepare_home(settings)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    prepare(folder, settings)
    supervisor = Supervisor(parts(), settings.home / "logs", environment_of(settings))
    service = threading.Thread(target=supervisor.run, name="supervisor")
    supervisor.stop_on_signals()
    service.start()
    try:
        address = f"http://{settings.host}:{settings.port}"
        with httpx.Client(base_url=address, timeout=10) as client:
            with terminal.status(f"starting the service; logs in {settings.home / 'logs'}"):
                _wait_until_ready(client, service, settings.serving_mark)
            terminal.print(f"ready after {time.monotonic() - started:.0f} s: [bold]{address}/[/bold]")
            expected = feed(folder / "feed", settings.watch_dir, seed=_run_number(folder))
            with terminal.status("wafers are in the watch folder; waiting for their verdicts"):
                found = _wait_for_verdicts(client, expected, service)
        right = _report(expected, found)
        terminal.print(f"dashboard: [bold]{address}/[/bold]   metrics: {address}/metrics")
        if not leave:
            terminal.print("Ctrl-C ends the demo")
            service.join()
        return right
    finally:
        supervisor.stop()
        service.join()


def _run_number(folder: Path) -> int:
    """Counts the runs in this folder: each feeds other wafers, and a first run feeds the same ones everywhere."""
    counter = folder / "runs"
    number = int(counter.read_text(encoding="utf-8")) + 1 if counter.exists() else 1
    counter.write_text(str(number), encoding="utf-8")
    return 1000 * number


def _wait_until_ready(client: httpx.Client, service: threading.Thread, serving: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and service.is_alive():
        try:
            if client.get("/readyz").is_success and serving.exists():
                return
        except httpx.TransportError:
            pass  # the API is not listening yet
        time.sleep(0.5)
    raise RetryableError(
        "service did not become ready",
        expected=f"/readyz to answer 200 and replicas to be up within {PATIENCE_S:.0f} s",
        remedy="look into the logs, then run the demo again",
    )


def _wait_for_verdicts(
    client: httpx.Client, expected: tuple[Expected, ...], service: threading.Thread
) -> Mapping[tuple[str, str], Found]:
    """Verdicts by (file, wafer), as far as they came within the time."""
    end = time.monotonic() + PATIENCE_S
    found: dict[tuple[str, str], Found] = {}
    while time.monotonic() < end and service.is_alive():
        found = _found(client)
        if all((one.file, one.wafer) in found for one in expected):
            break
        time.sleep(0.5)
    return found


def _found(client: httpx.Client) -> dict[tuple[str, str], Found]:
    found = {}
    for one in client.get("/api/v1/quarantine", params={"limit": 200}).raise_for_status().json()["items"]:
        error = one["error"]
        found[one["file_name"], ""] = Found(QUARANTINED, 0.0, 0.0, error["what"] if error else "")
    for one in client.get("/api/v1/inspections", params={"limit": 200}).raise_for_status().json()["items"]:
        seconds = _seconds(one["received_at"], one["recorded_at"])
        verdict = UNKNOWN if one["unknown"] else one["label"] or one["reason"]
        found[one["file_name"], one["capture"]["wafer"]] = Found(verdict, one["confidence"], seconds, one["reason"])
    return found


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _report(expected: tuple[Expected, ...], found: Mapping[tuple[str, str], Found]) -> bool:
    rows = []
    per_kind: dict[str, list[bool]] = {}
    for one in expected:
        got = found.get((one.file, one.wafer))
        is_right = got is not None and got.verdict == one.verdict
        kind = one.verdict if one.verdict in (UNKNOWN, QUARANTINED) else "known"
        per_kind.setdefault(kind, []).append(is_right)
        stated = "no verdict" if got is None else got.verdict
        rows.append(
            (
                one.truth,
                stated,
                got.confidence if got else None,
                got.seconds if got else None,
                "[green]right[/green]" if is_right else "[red]wrong[/red]",
                got.reason if got else "",
            )
        )
    print_table("truth and verdicts", ("truth", "verdict", "confidence", "seconds", "", "why"), rows)
    shares = {kind: sum(results) / len(results) for kind, results in per_kind.items()}
    terminal.print("   ".join(f"{kind}: {share:.0%} right" for kind, share in shares.items()))
    return all(shares[kind] >= least for kind, least in LEAST_RIGHT.items())
