"""Lists over ten million verdicts: fills a PostgreSQL of its own and times everything pages and API list.

    python -m benchmarks.verdict_lists [--inspections 500000] [--windows 20] [--database URL]

Each list is asked for five times after a first one; the median counts and must stay below 100 ms. Also measured: how
long dropping a month takes. Needs about 5 GB of disk and some minutes; with `--database` an earlier one's database is
asked, as long as its server (`WAFERWATCH_TEST_POSTGRES`) lives.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from services.records.partitions import drop_verdicts
from services.records.session import Database, now
from tests.postgres import Postgres
from tests.services.records.asking import LISTS
from tests.services.records.filling import fill

MOST_S = 0.1


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ask(database: Database, name: str) -> float:
    with database.read() as session:
        return seconds(lambda: LISTS[name](session))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inspections", type=int, default=500_000)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--database", help="URL of a database that was filled before")
    given = parser.parse_args()
    server = None if given.database else Postgres()
    try:
        database = Database(given.database or server.create(), timeout_s=60)
        if server is not None:
            took = seconds(lambda: fill(database, given.inspections, given.windows))
            print(f"{given.inspections * given.windows:,} verdicts in {took:.0f} s")
        with database.read() as session:
            size = session.scalar(text("SELECT pg_size_pretty(pg_database_size(current_database()))"))
        print(f"{size} on disk\n| list | median ms | first ms |\n|---|---|---|")
        slow = []
        for name in LISTS:
            first = ask(database, name)
            median = statistics.median(ask(database, name) for _ in range(5))
            print(f"| {name} | {median * 1000:.1f} | {first * 1000:.1f} |", flush=True)
            if median > MOST_S:
                slow.append(name)
        if server is not None:
            with database.read() as session:
                before = now(session) - timedelta(days=60)
            print(f"dropping the months before the last two: {seconds(lambda: drop_verdicts(database, before)):.2f} s")
        database.close()
    finally:
        if server is not None:
            server.close()
    assert not slow, f"slower than {MOST_S * 1000:.0f} ms: {slow}"


if __name__ == "__main__":
    main()
