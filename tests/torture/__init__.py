"""The long form of the fault tests: `make torture`. Real servers that are killed, cut off and lied to; see docs/reliability.md.

Everything listens on 127.0.0.1, and only processes that were started here are signalled.
"""
