"""What is this product's own: sources, models, metrics and features that the engine finds by name."""
