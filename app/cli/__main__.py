"""`python -m app.cli`: the same as `orders-registry`."""

from app.cli import main

main()
