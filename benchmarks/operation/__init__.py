"""Figures of the pipeline in operation, and of fields on a grid, whose fits are its largest."""
