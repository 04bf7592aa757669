"""Orders Registry: signed webhooks in, orders on contacts out. `app/README.md` is the plan of the house."""
