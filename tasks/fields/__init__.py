"""Monthly fields on a grid: a linear inverse model tilted by a convolutional energy."""
