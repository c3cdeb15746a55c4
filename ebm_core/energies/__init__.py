"""Energy functions and their gradients."""
