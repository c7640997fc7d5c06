"""Tests of the sources: a package, since another file is called test_files.py too."""
