"""How close a converted model is to its reference, in numbers and in accuracy."""
