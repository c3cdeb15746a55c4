"""Tilts of one-dimensional densities, whose normaliser is computed by quadrature."""
