"""The command line: one command, verbs of the flow. Each verb imports what it needs when it runs, so help is quick."""

from services.cli.app import main

__all__ = ["main"]
