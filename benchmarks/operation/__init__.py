"""Benchmarks of the pipeline in operation, and of fields on a grid."""
