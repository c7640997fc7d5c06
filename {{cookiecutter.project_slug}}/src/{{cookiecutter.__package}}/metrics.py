"""Own metrics: a function here is a metric of its name, which ``requirements`` in ``product.yaml`` may ask for."""
