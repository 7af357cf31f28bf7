"""Which ops can be 8-bit integers, what that costs, and which must stay float."""
