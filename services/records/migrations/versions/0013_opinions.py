"""What people make of each labelled capture, kept, and which captures wait for a word; promotions in the journal."""

from itertools import groupby

import sqlalchemy as sa
from alembic import op

from models.domain.label import Word, opinion

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, filled from the words said so far, and the index."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    table = op.create_table(
        "opinion",
        sa.Column("capture_id", sa.String(64), sa.ForeignKey("capture.id"), primary_key=True),
        sa.Column("label_id", big, sa.ForeignKey("label.id"), nullable=False, unique=True),
        sa.Column("first_id", big, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("supporters", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("names", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.String(32), nullable=False),
        sa.Column("only_author", sa.Text(), nullable=True),
    )
    op.create_index("ix_opinion_agreement_first_id", "opinion", ["agreement", "first_id"])
    op.create_index("ix_journal_deed_number", "journal", ["deed", "number"])
    op.add_column("inspection", sa.Column("is_labelled", sa.Boolean(), nullable=False, server_default=sa.false()))
    said = op.get_bind().execute(sa.text("SELECT capture_id, id, name, author FROM label ORDER BY capture_id, id"))
    rows = [_row(capture_id, list(words)) for capture_id, words in groupby(said, key=lambda word: word.capture_id)]
    if rows:
        op.bulk_insert(table, rows)
        op.execute("UPDATE inspection SET is_labelled = true WHERE capture_id IN (SELECT capture_id FROM opinion)")
    waits = sa.text("reason != 'not inspected' AND NOT is_labelled")
    op.create_index(
        "ix_inspection_waits_confidence_id",
        "inspection",
        ["confidence", "id"],
        sqlite_where=waits,
        postgresql_where=waits,
    )
    op.drop_index("ix_inspection_confidence_id", "inspection")


def _row(capture_id: str, words: list[sa.Row[tuple[str, int, str, str]]]) -> dict[str, object]:
    found = opinion([Word(one.name, one.author) for one in words])
    assert found is not None
    return {
        "capture_id": capture_id,
        "label_id": words[-1].id,
        "first_id": words[0].id,
        "name": found.name,
        "supporters": found.supporters,
        "people": found.people,
        "names": found.names,
        "agreement": found.agreement.value,
        "only_author": words[0].author if found.people == 1 else None,
    }
