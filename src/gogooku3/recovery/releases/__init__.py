"""Git tags, what they record, and clones at them."""
