"""Where calibration and evaluation pictures come from, and the ranges that activations take."""
