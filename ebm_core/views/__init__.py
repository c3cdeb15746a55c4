"""Energy landscapes, loss surfaces and discrepancies between samples."""
