"""Sources of data: the catalog, readers of files, snapshots and the quarantine of invalid rows."""
