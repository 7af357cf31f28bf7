"""The runner: model files on a phone without the app, asked over a pipe."""
