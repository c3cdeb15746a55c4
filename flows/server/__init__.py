"""``basin serve``: the server, its automations and the workspace of scheduled runs."""
