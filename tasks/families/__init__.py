"""Families of classical models for users' own series, each with the contract of ``Domain.features``."""
