"""Source ``progression``: 442 patients with diabetes and how far the disease was a year later, from scikit-learn.

Diabetes data of B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004), Least Angle Regression, Annals of
Statistics 32; distributed with scikit-learn under BSD-3-Clause.
"""

from collections.abc import Iterator

import polars as pl

from fullstack_ml.product.types import Product

# As the paper calls them, in the order of the data set: tc, ldl, hdl, tch, ltg, glu are the six of blood serum.
BLOOD = ("cholesterol", "ldl", "hdl", "cholesterol_ratio", "log_triglycerides", "glucose")
NAMES = ("age", "sex", "bmi", "blood_pressure", *BLOOD)


def read(product: Product) -> Iterator[pl.DataFrame]:
    """Yield the whole data set as one batch, in units of measurement."""
    from sklearn.datasets import load_diabetes  # slow to import, and no other source needs it

    data = load_diabetes(scaled=False)
    yield pl.DataFrame(data.data, schema=list(NAMES), orient="row").with_columns(
        sex=pl.col("sex").cast(pl.Int64).cast(pl.String),
        source_label=pl.Series([f"{target:g}" for target in data.target]),
        kind=pl.lit("patient"),
        group=pl.lit(None, dtype=pl.String),
        source=pl.lit("scikit-learn: load_diabetes"),
        licence=pl.lit("BSD-3-Clause"),
    )
