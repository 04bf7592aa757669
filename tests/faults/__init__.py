"""The database fails while the registry serves."""
