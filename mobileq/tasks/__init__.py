"""What models are for: a room for each task, and one door (`base`)."""
