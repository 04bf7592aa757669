"""What everything else stands on: settings, clock, ids, identities, outcomes, encryption. No SQL and no HTTP."""
