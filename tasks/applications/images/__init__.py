"""Classification of images by energy, and refusal of images that belong to no class."""
