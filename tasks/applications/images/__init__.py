"""Classification of images by energy, and rejection of images that belong to no class."""
