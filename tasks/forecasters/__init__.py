"""Classical and neural forecasters, which serve as bases of tilts and as peers."""
