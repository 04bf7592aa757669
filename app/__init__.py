"""Orders Registry: signed webhooks in, one order per sale out. app/README.md has the architecture."""
