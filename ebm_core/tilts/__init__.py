"""Base distributions, their pools and their tilts: in one dimension by quadrature, jointly by ranking."""
