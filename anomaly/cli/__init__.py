"""The command line: parser, one module per verb, exit statuses. The only package that prints."""

from anomaly.cli.entry import main

__all__ = ["main"]
