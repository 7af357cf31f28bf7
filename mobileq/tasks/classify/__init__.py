"""Classes of whole pictures."""
