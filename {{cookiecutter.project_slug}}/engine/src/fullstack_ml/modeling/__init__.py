"""Phase 3, model: train, export, evaluate, accept, cards, register; sweep and adopt for experiments."""
