"""Alembic's entry: runs the steps in the transaction that `upgrade` holds."""

from alembic import context

from services.records.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place: Alembic copies the table
    transactional_ddl=True,
)
context.run_migrations()
