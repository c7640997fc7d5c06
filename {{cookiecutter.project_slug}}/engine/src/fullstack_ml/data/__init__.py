"""Phase 2, data: collect, validate, label, split."""
