"""Child processes for the native tools underneath, kept off the network and out of our memory."""
