"""What is this product's own: sources, models and metrics, which the engine finds by name."""
