"""Is a dataset sound? One pass that counts, rules that judge, and a page that shows it."""
