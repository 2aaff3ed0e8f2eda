"""The four services. None imports another; what one knows of another it has heard on the bus."""
