"""Fuzzing: hostile insides in proven envelopes for every adapter (`inside`), and bytes that find their own way (`guided`)."""
