"""Detection of lesions in brain scans."""
