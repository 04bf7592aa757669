"""How fast, and against what: benches that start each contender themselves and need no service running.

`python -m bench` runs the main one; see `bench/__main__.py` for the others.
"""
