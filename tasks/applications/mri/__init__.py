"""Lesions in brain scans."""
