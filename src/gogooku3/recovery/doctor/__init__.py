"""What `doctor` looks at, one module per subject, and what this machine and this clone are fit for."""
