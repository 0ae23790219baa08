"""Archives of images, read without unpacking: their types, their members, and refusals."""
