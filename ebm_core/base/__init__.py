"""What the other folders stand on: checks of arguments, and checkpoints of fits."""
