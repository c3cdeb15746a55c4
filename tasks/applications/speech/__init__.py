"""Words of an unknown speaker."""
