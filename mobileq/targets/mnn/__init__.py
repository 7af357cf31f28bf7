"""MNN: read what .mnn files hold."""
