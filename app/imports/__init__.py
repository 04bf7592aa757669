"""Imports of orders and contacts from CSV and JSON lines files."""
