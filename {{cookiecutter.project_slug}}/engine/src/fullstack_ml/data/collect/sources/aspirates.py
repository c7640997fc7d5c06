"""Source ``aspirates``: 569 breast masses, measured on fine needle aspirates, bundled with scikit-learn.

Breast Cancer Wisconsin (Diagnostic), W. Wolberg, O. Mangasarian, N. Street and W. Street, UCI Machine Learning
Repository, CC BY 4.0.
"""

from collections.abc import Iterator

import polars as pl

from fullstack_ml.product.types import Product


def read(product: Product) -> Iterator[pl.DataFrame]:
    """Yield the whole data set as one batch, with the feature names of product.yaml."""
    from sklearn.datasets import load_breast_cancer  # slow to import, and no other source needs it

    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names]
    labels = [str(data.target_names[target]) for target in data.target]
    yield pl.DataFrame(data.data, schema=names, orient="row").with_columns(
        source_label=pl.Series(labels),
        kind=pl.lit("aspirate"),
        group=pl.lit(None, dtype=pl.String),
        source=pl.lit("scikit-learn: load_breast_cancer"),
        licence=pl.lit("CC-BY-4.0"),
    )
