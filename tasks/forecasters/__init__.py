"""Families of series: what domains and users' own files share, by what is forecast."""
