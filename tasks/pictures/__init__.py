"""Applications that look at pictures: digits (classify, refuse) and scans (find what is not healthy)."""
