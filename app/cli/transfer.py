"""`import`, `export`."""
import typer
from app.cli.show import group
main = group("x")
contacts = group("y")
