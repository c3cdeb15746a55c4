"""Where data come from: the catalog, its readers, snapshots and quarantine."""
