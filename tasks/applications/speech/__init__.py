"""Recognition of words of unknown speakers."""
