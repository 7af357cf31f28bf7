"""Renders the Android project of a bundle from `android_template/`."""
