"""Passes over a .tflite file that put ops which its runtime has, or has faster, in place of others.

One in each file; `registry` says in what order they run, and on files of which precisions.
"""
