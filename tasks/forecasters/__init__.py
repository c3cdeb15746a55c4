"""Classical forecasters, by what they forecast."""
