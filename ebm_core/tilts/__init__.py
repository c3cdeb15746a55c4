"""Base distributions, linear pools and tilts: by quadrature in one dimension, by sampling in several."""
