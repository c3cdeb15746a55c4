"""Entry point of the command ``basin``."""

import signal


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback also while its modules are imported."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until a command has a handler of its own
    from flows.cli.app import app

    app()
