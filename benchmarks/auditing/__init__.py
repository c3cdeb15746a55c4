"""Figures of the audits."""
