"""`python -m gogooku3.cli VERB`: the same command if it is not on the path."""

from gogooku3.cli import main

main(prog_name="gogooku3")
