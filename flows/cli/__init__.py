"""The ``basin`` command line. Each command imports what it needs, so that ``basin --help`` stays fast."""
