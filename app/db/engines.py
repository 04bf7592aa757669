"""The engines behind `databases`. Loaded when a store is made: SQLAlchemy, which `databases` brings, is not light."""

import databases

from app.db.sqlite import READER, WRITER

__all__ = ["READER", "WRITER", "Database"]


class Database(databases.Database):
    """`databases.Database` with a SQLite that keeps its connections."""

    SUPPORTED_BACKENDS = {
        **databases.Database.SUPPORTED_BACKENDS,
        "sqlite": "app.db.sqlite:SQLiteBackend",
    }
