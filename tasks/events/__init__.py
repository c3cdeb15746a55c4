"""Events on a path, such as a fall of 8 % within 21 days: their notation, simulation, tilt and scores."""
