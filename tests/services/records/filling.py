"""A year's work in a PostgreSQL database, made by the database itself: for plans and times of what pages ask for."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from services.records import partitions
from services.records.session import Database, now

DAYS = 180
_PARTS = (
    """INSERT INTO source_file SELECT encode(sha256(('f' || i)::bytea), 'hex'), 1000, i || '.001',
       now() - make_interval(secs => (:n - i) * :step) FROM generate_series(1, :n) i""",
    """INSERT INTO job (dedupe_key, sha256, route, state, sender, priority, attempts, fence, not_before, created_at,
       finished_at, windows_done) SELECT encode(sha256(('j' || i)::bytea), 'hex'),
       encode(sha256(('f' || i)::bytea), 'hex'), 'champion',
       CASE WHEN i % 200 = 7 THEN 'quarantined' WHEN i > :n - 300 THEN 'queued' ELSE 'done' END,
       'tool ' || i % 20, 100, 1, 1, now(), now() - make_interval(secs => (:n - i) * :step), now(), 0
       FROM generate_series(1, :n) i""",
    """INSERT INTO capture (id, sha256, kind, name, height, width, lot, wafer, product, step, tool)
       SELECT encode(sha256(('c' || i)::bytea), 'hex'), encode(sha256(('f' || i)::bytea), 'hex'), 'wafer', i::text,
       300000, 300000, 'LOT' || i / 25, i % 25, 'P' || i % 7, 'STEP' || i % 30,
       CASE WHEN i < :n / 10 THEN 'RETIRED' ELSE 'T' || i % 20 END FROM generate_series(1, :n) i""",
    """INSERT INTO inspection (id, capture_id, job_id, fence, bundle_name, bundle_version, bundle_digest, normal,
       started_at, duration_s, recorded_at, label, confidence, novelty, reason, windows, counts)
       SELECT encode(sha256(('i' || i)::bytea), 'hex'), encode(sha256(('c' || i)::bytea), 'hex'), i, 1, 'wafer', '1',
       repeat('b', 64), 'Normal', now(), 0.1, now() - make_interval(secs => (:n - i) * :step),
       CASE WHEN i % 100 = 3 THEN NULL WHEN i < 60 THEN 'Comet' WHEN i % 10 = 1 THEN 'Scratch' ELSE 'Normal' END,
       CASE WHEN i % 5 = 3 THEN 0.5 ELSE 0.9 END, 0.5, CASE WHEN i % 100 = 3 THEN 'novel' ELSE 'confident' END,
       :windows, '{}'
       FROM generate_series(1, :n) i""",
    """INSERT INTO verdict (inspection_id, ordinal, recorded_at, level, level_height, level_width, top, "left", height,
       width, label, confidence, novelty, reason, runner_up_confidence, also)
       SELECT encode(sha256(('i' || i)::bytea), 'hex'), k, now() - make_interval(secs => (:n - i) * :step), 1, 64, 64,
       0, 0, 64, 64, 'Normal', 0.9, 0.5, 'confident', 0, '[]'
       FROM generate_series(1, :n) i, generate_series(0, :windows - 1) k""",
    """INSERT INTO alert (fingerprint, rule, pattern, severity, state, title, action, inspection_id, count, first_seen,
       last_seen, version, tool) SELECT encode(sha256(('a' || i)::bytea), 'hex'), 'pattern', 'Scratch', 'warning',
       CASE WHEN i > :n / 100 - 40 THEN 'open' ELSE 'resolved' END, 'Scratch', 'Look',
       encode(sha256(('i' || i * 100)::bytea), 'hex'), 10, now() - make_interval(secs => (:n / 100 - i) * :step * 100),
       now() - make_interval(secs => (:n / 100 - i) * :step * 100), 1, 'T' || i % 20
       FROM generate_series(1, :n / 100) i""",
    """INSERT INTO alert_occurrence SELECT fingerprint, encode(sha256(('c' || id * 100 - k)::bytea), 'hex'), id,
       encode(sha256(('i' || id * 100 - k)::bytea), 'hex'), last_seen FROM alert, generate_series(0, 9) k""",
    """INSERT INTO alert_event SELECT id, 0, first_seen, 'waferwatch', NULL, 'open', '', '', '', NULL FROM alert""",
    """INSERT INTO outbox (event_id, channel, alert_id, body, created_at, not_before, attempts, fence, sent_at)
       SELECT fingerprint, 'webhook', id, '{}', first_seen, first_seen, 1, 1, first_seen FROM alert""",
    # What people did: words about every fifth capture of the first half, of two people about half of those.
    """INSERT INTO label (capture_id, name, author, note, at) SELECT encode(sha256(('c' || 5 * i + 3)::bytea), 'hex'),
       'Class' || i % 12, 'ada', '', now() FROM generate_series(1, :n / 10) i""",
    """INSERT INTO label (capture_id, name, author, note, at) SELECT encode(sha256(('c' || 5 * i + 3)::bytea), 'hex'),
       'Class' || (i + (i % 50 = 0)::int) % 12, 'bob', '', now() FROM generate_series(1, :n / 20) i""",
    """INSERT INTO opinion SELECT capture_id, max(id), min(id), min(name), CASE WHEN min(name) = max(name) THEN count(*)
       ELSE 1 END, count(*), count(DISTINCT name), CASE WHEN min(name) <> max(name) THEN 'disputed' WHEN count(*) > 1
       THEN 'agreed' ELSE 'waiting' END, CASE WHEN count(*) = 1 THEN min(author) END FROM label GROUP BY capture_id""",
    """UPDATE inspection SET is_labelled = true WHERE capture_id IN (SELECT capture_id FROM opinion)""",
    """INSERT INTO cluster (opened_at) SELECT now() FROM generate_series(1, 50) i""",
    """INSERT INTO cluster_member SELECT capture_id, id, 1 + number % 50, number / 50 FROM (SELECT id, capture_id,
       row_number() OVER (ORDER BY recorded_at DESC) - 1 AS number FROM inspection WHERE label IS NULL
       ORDER BY recorded_at DESC LIMIT 2000) AS newest""",
    """INSERT INTO silence (kind, tool, starts_at, until, author, reason, created_at, held_back)
       SELECT 'silence', 'nowhere ' || i, moment, moment + interval '8 hours', 'ada', 'known', moment, 0 FROM
       (SELECT i, now() - make_interval(secs => (:n / 100 - i) * :step * 100) AS moment
       FROM generate_series(1, :n / 100) i) AS made""",
    """INSERT INTO journal (number, at, actor, deed, subject, detail, previous_hash, hash) SELECT i,
       now() - make_interval(secs => (:n / 20 - i) * :step * 20), 'ada',
       CASE WHEN i % 1000 = 7 THEN 'promoted' ELSE 'retried' END, 'job ' || i, '{}', repeat('0', 64), repeat('0', 64)
       FROM generate_series(0, :n / 20) i""",
    """INSERT INTO user_account (key, name, role, created_at, created_by)
       SELECT 'user ' || i, 'User ' || i, 'operator', now(), 'ada' FROM generate_series(1, :n / 500) i""",
    """INSERT INTO login (hash, user_id, device, address, began_at, expires_at)
       SELECT encode(sha256(('l' || i)::bytea), 'hex'), 1 + i % (:n / 500), repeat('0', 64), '10.0.0.1',
       now() - make_interval(secs => (:n / 5 - i) * :step * 5), now() FROM generate_series(1, :n / 5) i""",
    """INSERT INTO api_token (hash, prefix, name, user_id, scopes, created_at, created_by)
       SELECT encode(sha256(('t' || i)::bytea), 'hex'), 'ww_1234', 'script ' || i, 1 + i % (:n / 500), '["viewer"]',
       now(), 'ada' FROM generate_series(1, :n / 100) i""",
)


@dataclass(frozen=True)
class Filled:
    """How much there is, and what is where."""

    inspections: int
    windows: int

    @property
    def verdicts(self) -> int:
        return self.inspections * self.windows


def fill(database: Database, inspections: int, windows: int) -> Filled:
    """Fill an empty database; statistics are taken afterwards, as autovacuum does."""
    assert inspections % 100 == 0
    with database.write(patient=True) as session:
        month, end = now(session) - timedelta(days=DAYS + 31), now(session) - timedelta(days=31)
        present = partitions._partitions(session)
        month = partitions._month_of(month)
        while month < end:
            if partitions._name_of(month) not in present:
                partitions._make(session, month)
            month = partitions._next(month)
    given = {"n": inspections, "windows": windows, "step": DAYS * 86400 / inspections}
    for part in _PARTS:
        with database.write(patient=True) as session:
            session.execute(text(part), {name: value for name, value in given.items() if f":{name}" in part})
    with database.write(patient=True) as session:
        session.execute(text("ANALYZE"))
    return Filled(inspections, windows)
