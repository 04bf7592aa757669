"""The columns and indexes that all tables are made of."""

from sqlalchemy import BigInteger, Column, Index, MetaData, Text, text

metadata = MetaData()


def text_column(name: str, *, null: bool = False) -> Column[str]:
    """Return a column of text."""
    return Column(name, Text, nullable=null)


def bigint_column(name: str, *, null: bool = False) -> Column[int]:
    """Return a column of 64-bit integers: times and durations in microseconds, amounts, counts."""
    return Column(name, BigInteger, nullable=null)


def key_column(name: str) -> Column[str]:
    """Return a part of the primary key."""
    return Column(name, Text, primary_key=True, nullable=False)


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Return a partial index: rows outside it cost nothing to write."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
