"""New environments, temporary folders, and commands run as processes of their own."""
