"""Figures of the pipeline in operation."""
