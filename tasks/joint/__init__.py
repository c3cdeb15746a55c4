"""Joint densities of many series: marginals, correlations, copulas and their tilt, and portfolios."""
