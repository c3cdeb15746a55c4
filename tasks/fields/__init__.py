"""Fields on a grid, month by month: a linear inverse model tilted by a convolutional energy."""
