"""The pages that say what a tier's model is worth, and how it differs from another one."""
