"""Orders and contacts from CSV and JSON lines files."""
