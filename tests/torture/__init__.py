"""The long form of the fault tests: `make torture`. Real servers that are killed, cut off and lied to; see docs/reliability.md."""
