"""Applications of energy-based models to images, brain scans, tables, music, social media and speech."""
