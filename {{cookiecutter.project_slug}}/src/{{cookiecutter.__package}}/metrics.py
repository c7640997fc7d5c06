"""Own metrics: what ``requirements`` in ``product.yaml`` may ask for beside the engine's.

A function with the decorator ``metric`` is a metric of its name; others are ignored. It gets the model's outputs,
(records, labels) probabilities in the order of the contract, and the truth, (records,) indices of the right label::

    from fullstack_ml.product.metrics import metric

    @metric(unit="share", better="higher")
    def top_two(outputs, truth):
        "share of records whose right label is among the two most probable"
        return float((outputs.argsort(axis=1)[:, -2:] == truth[:, None]).any(axis=1).mean())
"""
