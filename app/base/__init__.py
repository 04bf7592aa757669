"""What everything stands on: settings, clock, ids, identities, outcomes, secrets. No SQL and no HTTP."""
