"""Where raw data comes from: one module per source, each with one generator ``read(product, **options)``.

``read`` yields polars frames with the payload columns of the task and ``source_label`` (null when the source knows no
label), ``kind``, ``group`` (null when every record stands alone), ``source`` and ``licence``: all text, but for the
payload of a table, in which a number is Float64, a whole number Int64, a flag Boolean, a date Datetime("us").
``rows.as_records`` converts and names the columns of a table. A new source is a module in ``src/<package>/sources/``
and a file in ``conf/source/``.

Three more columns are understood. ``rejected`` says why a row is no record (null: it is one), ``record`` is the row as
it came. ``cursor`` says from where to go on after this row: rows come in its order, and ``read`` gets the last one as
its parameter ``cursor`` (None at first). A source without an order takes the parameter ``seen`` instead: the set of all
values of ``source`` that are stored.
"""

# What the module of a source has to define.
NEEDED = ("read",)
