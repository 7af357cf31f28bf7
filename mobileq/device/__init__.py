"""Phones on adb: which there are, what they are, and files, programs and apps on them."""
