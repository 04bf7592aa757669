"""The engines behind `databases`.

Loaded when a store is made: SQLAlchemy, which `databases` imports, is slow to load.
"""

import databases

from app.db.sqlite import READER, WRITER

__all__ = ["READER", "WRITER", "Database"]


class Database(databases.Database):
    """Extends `databases.Database` with a SQLite backend that keeps its connections."""

    SUPPORTED_BACKENDS = {
        **databases.Database.SUPPORTED_BACKENDS,
        "sqlite": "app.db.sqlite:SQLiteBackend",
    }
