"""Transform: decode, resize and normalise the images, by one graph for training and serving."""
