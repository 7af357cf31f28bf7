"""Any model at all: what its outputs mean is not known, and their numbers are compared."""
