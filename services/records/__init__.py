"""The database: tables, sessions, migrations, what is written and what pages read. All SQL of the service is here.

Rows are a storage detail: what crosses this border are the domain's types and the frozen dataclasses of `queries`.
"""
