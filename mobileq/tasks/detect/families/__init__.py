"""One module per head family: each looks at a model's facts and says what it is, or why not."""
