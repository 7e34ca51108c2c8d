"""Lists are read through indices, never by looking at a whole table: the plans PostgreSQL makes with statistics."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from services.records.session import Database
from tests.postgres import Postgres
from tests.services.records.asking import LISTS
from tests.services.records.filling import fill

GROWING = {"inspection", "capture", "source_file", "job", "verdict", "alert_occurrence", "outbox"}
"""Tables that grow with every wafer."""


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[Database]:
    url = postgres.create()
    database = Database(url, timeout_s=60)  # statistics of every row take a busy machine more than the usual 3 s
    fill(database, inspections=60_000, windows=1)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Of every row, not of the usual sample: a plan chosen by a hair must not change with what was drawn.
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("SET default_statistics_target = 1000")
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("RESET ALL")
    yield database
    database.close()
    postgres.drop(url)


def plans(database: Database, name: str) -> list[dict[str, Any]]:
    """The plans of every statement of a list."""
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    with database.read() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        LISTS[name](session)
        event.remove(connection, "before_cursor_execute", note)
        found = []
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            found.append((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"])
    return found


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(way, table) of everything a plan reads."""
    if "Relation Name" in plan:
        yield plan["Node Type"], plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from scans(child)


def used(plan: dict[str, Any]) -> Iterator[str]:
    """Names of the indices a plan reads."""
    if "Index Name" in plan:
        yield plan["Index Name"]
    for child in plan.get("Plans", ()):
        yield from used(child)


@pytest.mark.parametrize("name", LISTS)
def test_no_list_looks_at_a_whole_table(filled: Database, name: str) -> None:
    for plan in plans(filled, name):
        for way, table in scans(plan):
            whole = way == "Seq Scan" and (table in GROWING or table.startswith("verdict_"))
            assert not whole, json.dumps(plan, indent=1)


@pytest.mark.parametrize("column", ["tool", "product", "step", "lot", "label"])
def test_a_filter_is_looked_up_not_walked_to(filled: Database, column: str) -> None:
    """What was frequent and is long gone lies behind everything newer."""
    named = {"tool": "a tool long gone", "label": "a label long gone"}.get(column)
    name = f"inspections with {named}" if column == "label" else f"inspections of {named or f'a {column}'}"
    indices = [index for plan in plans(filled, name) for index in used(plan)]
    assert f"ix_inspection_{column}_recorded_at_id" in indices


@pytest.mark.parametrize("name", ["an inspection", "gravest windows"])
def test_verdicts_are_looked_for_in_one_partition_or_two(filled: Database, name: str) -> None:
    tables = [table for plan in plans(filled, name) for _, table in scans(plan) if table.startswith("verdict")]
    assert 1 <= len(tables) <= 2, tables
    assert "verdict_rest" not in tables or len(tables) == 1
