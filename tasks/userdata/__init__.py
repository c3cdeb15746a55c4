"""A user's own file: read, described, and taken through the pipeline's stages."""
