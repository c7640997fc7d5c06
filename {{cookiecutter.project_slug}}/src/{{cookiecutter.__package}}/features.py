"""Own features: a function here adds columns to the input; it is traced into the model."""
