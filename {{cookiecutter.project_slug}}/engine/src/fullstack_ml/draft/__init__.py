"""A first contract from the data: ``make draft`` looks at a file, folder or database and writes ``product.yaml``."""
