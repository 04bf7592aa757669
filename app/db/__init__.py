"""The two engines, SQLite and PostgreSQL: connections, statements, the schema, migrations."""
