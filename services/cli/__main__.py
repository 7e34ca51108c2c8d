"""`python -m services.cli`: the same as the console script, for processes that start each other."""

from services.cli import main

main()
