"""Phase 2, annotation: rounds, Label Studio, agreement. Delete the folder if nobody labels here."""
