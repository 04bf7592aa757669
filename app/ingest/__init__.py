"""One delivery, from its URL to its commit, and again when it is retried. Start with receive.py."""
